import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { signOut } from "@/api/session.ts";
import { useListUrl } from "@/app/url.ts";
import { Button } from "@/parts/base/Button.tsx";
import { exactTime, Moment } from "@/parts/base/Moment.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { State, Verdict } from "@/parts/base/State.tsx";
import { Drawer, Facts, Split } from "@/parts/drawer/Drawer.tsx";
import type { Column } from "@/parts/list/columns.ts";
import { List } from "@/parts/list/List.tsx";
import { ListModel } from "@/parts/list/model.ts";
import { all, browserOf, type SessionRow } from "./access.ts";

/** Seconds between two looks. */
const AGAIN = 10;
const words = (row: SessionRow) => `${row.user} ${row.address} ${row.browser} ${row.id}`;
const value = (row: SessionRow, by: string) =>
  ({ user: row.user, address: row.address, began: row.began, used: row.used })[by] ?? "";

export function SessionList() {
  const { t } = useLingui();
  const model = useMemo(
    () =>
      new ListModel<SessionRow>({
        id: (row) => row.id,
        fetch: (request, signal) => all("session-list", request, words, value, signal),
      }),
    [],
  );
  const columns = useColumns();
  const { query, onQuery, open, onOpen } = useListUrl();
  useEffect(() => {
    const timer = setInterval(() => document.hidden || model.refresh(), AGAIN * 1000);
    return () => clearInterval(timer);
  }, [model]);
  const end = async (body: { ids?: readonly string[]; user?: string }) => {
    try {
      const { result } = await run<{ text: string }>("admin", "session-end", body);
      toast(result.text);
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), "failed");
    }
    model.refresh();
  };
  return (
    <Split>
      <List
        name="sessions"
        label={t`Console sessions`}
        {...{ model, columns, query, onQuery, open, onOpen }}
        placeholder={t`Filter by user, IP or browser`}
        failed={t`The sessions could not be read.`}
        empty={<Notice icon="user" title={<Trans>Nobody is signed in.</Trans>} />}
        bulk={({ ids, clear }) => (
          <Button kind="danger" icon="signout" onClick={() => (void end({ ids }), clear())}>
            <Plural value={ids.length} one="Sign out" other="Sign out #" />
          </Button>
        )}
      />
      {open !== null && <SessionDrawer key={open} id={open} model={model} onClose={() => onOpen(null)} end={end} />}
    </Split>
  );
}

function useColumns(): readonly Column<SessionRow>[] {
  const { t } = useLingui();
  return useMemo(
    () => [
      {
        id: "user",
        title: t`User`,
        width: "minmax(160px, 2fr)",
        phone: "name",
        sort: "user",
        cell: (row) => row.user,
        text: (row) => row.user,
      },
      {
        id: "browser",
        title: t`Browser`,
        width: "minmax(140px, 1fr)",
        phone: "state",
        cell: (row) => (row.current ? <State mood="ok" icon="user">{t`This browser`}</State> : browserOf(row.browser)),
        text: (row) => row.browser,
      },
      {
        id: "address",
        title: t`From where`,
        width: "minmax(112px, 1fr)",
        room: "medium",
        sort: "address",
        cell: (row) => <span className="mono">{row.address}</span>,
        text: (row) => row.address,
      },
      {
        id: "began",
        title: t`Since`,
        width: "96px",
        room: "low",
        sort: "began",
        cell: (row) => <Moment at={row.began} />,
        text: (row) => row.began,
      },
      {
        id: "used",
        title: t`Last active`,
        width: "104px",
        phone: "figure",
        sort: "used",
        cell: (row) => <Moment at={row.used} />,
        text: (row) => row.used,
      },
      {
        id: "expires",
        title: t`Ends`,
        width: "96px",
        room: "low",
        extra: true,
        cell: (row) => <Moment at={row.expires} />,
        text: (row) => row.expires,
      },
    ],
    [t],
  );
}

function SessionDrawer({
  id,
  model,
  onClose,
  end,
}: {
  id: string;
  model: ListModel<SessionRow>;
  onClose: () => void;
  end: (body: { ids?: readonly string[]; user?: string }) => Promise<void>;
}) {
  const { t } = useLingui();
  const view = useSyncExternalStore(model.subscribe, model.get);
  const row = view.rows.find((each) => each.id === id);
  const [last, setLast] = useState(row);
  useEffect(() => {
    if (row) setLast(row);
  }, [row]);
  const known = row ?? last;
  const over = !row || view.gone.has(id);
  const more = known ? view.rows.filter((each) => each.user === known.user).length : 0;
  return (
    <Drawer
      title={known?.user ?? id}
      label={known?.user ?? id}
      subtitle={known && browserOf(known.browser)}
      onClose={onClose}
      footer={
        known &&
        !over &&
        (known.current ? (
          <Button icon="signout" onClick={() => void signOut()}>
            <Trans>Sign out here</Trans>
          </Button>
        ) : (
          <>
            <Button kind="danger" icon="signout" onClick={() => void end({ ids: [id] })}>
              <Trans>Sign out</Trans>
            </Button>
            {more > 1 && (
              <Button onClick={() => void end({ user: known.user })}>
                <Plural value={more} one="All # of this user" other="All # of this user" />
              </Button>
            )}
          </>
        ))
      }
    >
      {!known ? (
        view.state === "ready" && <Notice icon="user" title={<Trans>This session is over.</Trans>} />
      ) : (
        <>
          <Verdict
            mood={over ? "muted" : "ok"}
            icon="user"
            title={over ? t`This session is over.` : known.current ? t`This is your own browser` : t`Signed in`}
          >
            {!over && !known.current && (
              <p className="muted">
                <Trans>Signing out also stops what was asked for there and still waits to be undone.</Trans>
              </p>
            )}
          </Verdict>
          <Facts
            facts={[
              [t`User`, known.user],
              [t`From where`, <code key="ip">{known.address}</code>],
              [t`Since`, exactTime(new Date(known.began))],
              [t`Last active`, <Moment key="used" at={known.used} />],
              [t`Ends`, exactTime(new Date(known.expires))],
              [t`Browser`, known.browser || t`unknown`],
              [t`Session`, <code key="id">{known.id}</code>],
            ]}
          />
        </>
      )}
    </Drawer>
  );
}
