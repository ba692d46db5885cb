/** Deliveries under way. None is the normal state. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { type Page as Listed, read, run } from "@/api/admin.ts";
import { useFresh } from "@/api/live.ts";
import { toast } from "@/api/operations.ts";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Page } from "@/app/Page.tsx";
import { useListUrl } from "@/app/url.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Moment, octets, span } from "@/parts/base/Moment.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { State } from "@/parts/base/State.tsx";
import { Split } from "@/parts/drawer/Drawer.tsx";
import type { Column } from "@/parts/list/columns.ts";
import { List, type Selected } from "@/parts/list/List.tsx";
import { ListModel, type PageRequest } from "@/parts/list/model.ts";
import { fitting, keepEnded, type TaskRow } from "./task.ts";
import css from "./Tasks.module.css";

export default function TasksScreen() {
  const { t } = useLingui();
  const may = mayChange(useStore(me), "server");
  const [count, setCount] = useState<number | null>(null);
  const model = useMemo(() => new ListModel<TaskRow>({ id: (row) => row.id, fetch: reading(setCount) }), []);
  const { query, onQuery, open, onOpen } = useListUrl();
  const columns = useColumns();
  useFresh("tasks", () => model.refresh(), 1);
  const abort = async (ids: readonly string[]) => {
    const failed = (await Promise.allSettled(ids.map((id) => run("task", "abort", { id })))).find(
      (each) => each.status === "rejected",
    );
    if (failed) toast(failed.reason instanceof Error ? failed.reason.message : String(failed.reason), "failed");
    else toast(t`Ended; the messages are tried again by the schedule`);
    model.refresh();
  };
  return (
    <Page
      title={t`Delivery tasks`}
      summary={count !== null && <Plural value={count} one="# under way" other="# under way" />}
    >
      <Split>
        <List
          name="tasks"
          label={t`Deliveries under way`}
          {...{ model, columns, query, onQuery, open, onOpen }}
          placeholder={t`Filter by address, server or ID`}
          failed={t`The deliveries could not be read.`}
          empty={
            <Notice icon="bolt" title={<Trans>Nothing is being delivered at this moment.</Trans>}>
              <p>
                <Trans>
                  That is how it mostly is: a delivery takes a second or two. What waits stands in the{" "}
                  <Link to="/queue">queue</Link>.
                </Trans>
              </p>
            </Notice>
          }
          {...(may
            ? {
                bulk: ({ ids, clear }: Selected<TaskRow>) => (
                  <Button kind="danger" icon="stop" onClick={() => (void abort(ids), clear())}>
                    <Plural value={ids.length} one="End the delivery" other="End # deliveries" />
                  </Button>
                ),
              }
            : {})}
        />
      </Split>
    </Page>
  );
}

const reading = (tell: (count: number) => void) => {
  let before: readonly TaskRow[] = [];
  return async ({ search }: PageRequest, signal: AbortSignal) => {
    const { items } = await read<Listed<TaskRow>>("task", "list", {}, signal);
    tell(items.length);
    before = keepEnded(before, items, Date.now());
    const shown = before.filter((row) => fitting(row, search));
    return { items: shown, more: "", total: shown.length };
  };
};

function useColumns(): readonly Column<TaskRow>[] {
  const { t } = useLingui();
  return useMemo(
    () => [
      {
        id: "destination",
        title: t`To`,
        width: "minmax(140px, 2fr)",
        phone: "name",
        cell: (row) => (
          <>
            {row.destination}
            {row.recipients > 1 && <span className="muted"> · {row.recipients}</span>}
          </>
        ),
        text: (row) => row.destination,
      },
      {
        id: "phase",
        title: t`Phase`,
        width: "minmax(120px, 1fr)",
        phone: "state",
        cell: (row) =>
          row.ended ? (
            <State mood="muted" icon="check">
              {t`ended`}
            </State>
          ) : (
            <State mood="info" icon="bolt">
              {row.phase}
            </State>
          ),
        text: (row) => row.phase,
      },
      {
        id: "percent",
        title: t`Sent`,
        width: "104px",
        phone: "figure",
        cell: (row) => <Bar percent={row.ended ? 100 : row.percent} />,
        text: (row) => row.percent,
      },
      {
        id: "server",
        title: t`Server`,
        width: "minmax(140px, 2fr)",
        room: "low",
        cell: (row) => <span className="muted">{row.server}</span>,
        text: (row) => row.server,
      },
      {
        id: "sender",
        title: t`From`,
        width: "minmax(120px, 1.5fr)",
        room: "low",
        cell: (row) => <span className="muted">{row.sender || t`<> (DSN)`}</span>,
        text: (row) => row.sender,
      },
      {
        id: "size",
        title: t`Size`,
        width: "72px",
        align: "end",
        room: "medium",
        cell: (row) => <span className="muted">{octets(row.size)}</span>,
        text: (row) => row.size,
      },
      {
        id: "tls",
        title: t`TLS`,
        width: "80px",
        room: "low",
        cell: (row) => <span className="muted">{row.tls || t`none`}</span>,
        text: (row) => row.tls,
      },
      {
        id: "since",
        title: t`Time`,
        width: "72px",
        align: "end",
        room: "medium",
        cell: (row) => (
          <span className="muted" title={row.since}>
            {span(Math.max(0, (Date.now() - new Date(row.since).getTime()) / 1000))}
          </span>
        ),
        text: (row) => row.since,
      },
      {
        id: "queue",
        title: t`Message`,
        width: "152px",
        room: "low",
        cell: (row) => (
          <Link to="/trace" search={{ q: row.queue_id } as never} className="link mono">
            {row.queue_id}
          </Link>
        ),
        text: (row) => row.queue_id,
      },
      {
        id: "began",
        title: t`Since`,
        width: "80px",
        room: "low",
        extra: true,
        cell: (row) => <Moment at={row.since} />,
        text: (row) => row.since,
      },
    ],
    [t],
  );
}

function Bar({ percent }: { percent: number }) {
  return (
    <span
      className={css.bar}
      role="progressbar"
      aria-valuenow={percent}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-label={`${percent} %`}
    >
      <span>{percent} %</span>
      <i>
        <i style={{ width: `${percent}%` }} />
      </i>
    </span>
  );
}
