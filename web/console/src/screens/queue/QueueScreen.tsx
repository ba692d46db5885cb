import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useCallback, useMemo, useState } from "react";
import type { Page as Listed } from "@/api/admin.ts";
import { useLiveStatus, useTopic } from "@/api/live.ts";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Page } from "@/app/Page.tsx";
import { useListUrl } from "@/app/url.ts";
import { Button } from "@/parts/base/Button.tsx";
import { number, octets, span } from "@/parts/base/Moment.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { Split } from "@/parts/drawer/Drawer.tsx";
import { List, type Selected } from "@/parts/list/List.tsx";
import { ListModel, type PageRequest } from "@/parts/list/model.ts";
import { page } from "@/parts/list/useList.ts";
import { type NotDone, useQueueActions } from "./actions.ts";
import { useQueueColumns } from "./columns.tsx";
import { DeleteMessages } from "./DeleteMessages.tsx";
import { idOf, type QueueRow } from "./message.ts";
import { MessageDrawer } from "./MessageDrawer.tsx";
import { NotDoneList } from "./NotDoneList.tsx";

interface Totals {
  waiting: number;
  held: number;
  size?: number;
  /** RFC 3339, or seconds since 1970. */
  oldest?: string | number | null;
}

const FILTERS = ["held"];

export default function QueueScreen() {
  const { t } = useLingui();
  const who = useStore(me);
  const may = mayChange(who, "server");
  const { state } = useLiveStatus();
  const [totals, setTotals] = useState<Totals | null>(null);
  const model = useMemo(() => new ListModel<QueueRow>({ id: idOf, fetch: pages(setTotals) }), []);
  const { query, onQuery, open, onOpen } = useListUrl(FILTERS);
  const columns = useQueueColumns();
  const refresh = useCallback(() => model.refresh(), [model]);
  const [failed, setFailed] = useState<readonly NotDone[]>([]);
  const actions = useQueueActions(refresh, setFailed);
  useTopic<Totals & { totals?: Totals }>("queue", (data) => {
    setTotals(data.totals ?? data);
    refresh();
  });
  const because = may ? undefined : t`Your right is to look, not to change`;
  return (
    <Page
      title={t`Queue`}
      summary={totals && <Summary totals={totals} />}
      action={
        <Button kind="primary" icon="redo" onClick={actions.tryAll} disabledBecause={because}>
          <Trans>Try all now</Trans>
        </Button>
      }
    >
      <NotDoneList failed={failed} onClose={() => setFailed([])} />
      <Split>
        <List
          name="queue"
          label={t`Messages that wait`}
          {...{ model, columns, query, onQuery, open, onOpen }}
          live={state !== "retrying"}
          placeholder={t`Filter by address, status or ID`}
          filters={<HeldFilter value={query.filters.held ?? ""} onChange={(held) => onQuery({ filters: { held } })} />}
          failed={t`The queue could not be read.`}
          empty={
            <Notice icon="ok" title={<Trans>Nothing is waiting.</Trans>}>
              <p>
                <Trans>Mail that cannot be delivered at once waits here and is tried again.</Trans>
              </p>
            </Notice>
          }
          {...(may
            ? {
                bulk: ({ ids, rows, clear }: Selected<QueueRow>) => {
                  const then = (act: (ids: readonly string[]) => void) => () => (act(ids), clear());
                  const held = rows.filter((row) => row.held).length;
                  return (
                    <>
                      <span className="muted">{octets(rows.reduce((sum, row) => sum + row.size, 0))}</span>
                      <Button icon="redo" onClick={then(actions.tryNow)}>
                        <Trans>Try now</Trans>
                      </Button>
                      {held < rows.length && (
                        <Button icon="pause" onClick={then(actions.hold)}>
                          <Trans>Hold</Trans>
                        </Button>
                      )}
                      {held > 0 && (
                        <Button icon="play" onClick={then(actions.release)}>
                          <Trans>Release</Trans>
                        </Button>
                      )}
                      <DeleteMessages
                        count={ids.length}
                        onDelete={(report) => (actions.remove(ids, report), clear())}
                      />
                    </>
                  );
                },
              }
            : {})}
        />
        {open !== null && (
          <MessageDrawer key={open} id={open} actions={actions} readOnly={because ?? ""} onClose={() => onOpen(null)} />
        )}
      </Split>
    </Page>
  );
}

/** Totals come with each page, too. */
const pages = (told: (totals: Totals) => void) => async (request: PageRequest, signal: AbortSignal) => {
  const made = (await page<QueueRow>("queue", request, signal, "to")) as Listed<QueueRow> & Totals;
  told(made);
  const plain = !request.search && !request.filters.held;
  return made.total === undefined && plain ? { ...made, total: made.waiting } : made;
};

function Summary({ totals }: { totals: Totals }) {
  const { t } = useLingui();
  const { waiting, held, oldest } = totals;
  const age = oldest
    ? span((Date.now() - new Date(typeof oldest === "number" ? oldest * 1000 : oldest).getTime()) / 1000)
    : "";
  return (
    <>
      <Plural value={waiting} one="# waiting" other="# waiting" />
      {held > 0 && t`, ${number(held)} held`}
      {age && t`, oldest ${age}`}
    </>
  );
}

function HeldFilter({ value, onChange }: { value: string; onChange: (held: string) => void }) {
  const { t } = useLingui();
  return (
    <select className="select" aria-label={t`Which`} value={value} onChange={(event) => onChange(event.target.value)}>
      <option value="">{t`All`}</option>
      <option value="true">{t`Held`}</option>
      <option value="false">{t`Not held`}</option>
    </select>
  );
}
