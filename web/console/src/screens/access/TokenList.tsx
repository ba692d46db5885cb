import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useMemo, useState, useSyncExternalStore } from "react";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { useListUrl, useUrl } from "@/app/url.ts";
import { Button } from "@/parts/base/Button.tsx";
import { exactTime, Moment, shortTime } from "@/parts/base/Moment.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { type Mood, State, Verdict } from "@/parts/base/State.tsx";
import { Drawer, Facts, Split } from "@/parts/drawer/Drawer.tsx";
import dialog from "@/parts/form/dialog.module.css";
import type { Column } from "@/parts/list/columns.ts";
import { List } from "@/parts/list/List.tsx";
import { ListModel } from "@/parts/list/model.ts";
import { all, standing, type TokenRow } from "./access.ts";
import { AddToken, AddTokenButton } from "./AddToken.tsx";

const words = (row: TokenRow) => `${row.name} ${row.rights} ${row.user} ${row.last_address}`;
const value = (row: TokenRow, by: string) =>
  ({ name: row.name, user: row.user, expires: row.expires ?? "9", used: row.last_used ?? "" })[by] ?? "";

export function TokenList() {
  const { t } = useLingui();
  const model = useMemo(
    () =>
      new ListModel<TokenRow>({
        id: (row) => row.name,
        fetch: (request, signal) => all("token-list", request, words, value, signal),
      }),
    [],
  );
  const columns = useColumns();
  const { query, onQuery, open, onOpen } = useListUrl();
  const [url, change] = useUrl();
  const [removing, setRemoving] = useState<readonly string[]>([]);
  const refresh = () => model.refresh();
  return (
    <Split>
      <List
        name="tokens"
        label={t`API tokens`}
        {...{ model, columns, query, onQuery, open, onOpen }}
        placeholder={t`Filter by name, rights or maker`}
        failed={t`The tokens could not be read.`}
        empty={
          <Notice icon="key" title={<Trans>There are no API tokens.</Trans>} action={<AddTokenButton />}>
            <p>
              <Trans>
                By a token a program administers: monitoring, scripts, whimbrel on another machine. It allows what you
                say, and no more than you may yourself.
              </Trans>
            </p>
          </Notice>
        }
        bulk={({ ids }) => (
          <Button kind="danger" icon="trash" onClick={() => setRemoving(ids)}>
            <Trans>Remove</Trans>
          </Button>
        )}
      />
      {url.add ? (
        <AddToken onClose={() => change({ add: null })} onAdded={refresh} />
      ) : (
        open !== null && (
          <TokenDrawer
            key={open}
            name={open}
            model={model}
            onClose={() => onOpen(null)}
            onRemove={() => setRemoving([open])}
          />
        )
      )}
      {removing.length > 0 && (
        <Remove
          names={removing}
          onClose={() => setRemoving([])}
          onRemoved={() => {
            if (open !== null && removing.includes(open)) onOpen(null);
            setRemoving([]);
            refresh();
          }}
        />
      )}
    </Split>
  );
}

function useColumns(): readonly Column<TokenRow>[] {
  const { t } = useLingui();
  return useMemo(
    () => [
      {
        id: "name",
        title: t`Name`,
        width: "minmax(140px, 2fr)",
        phone: "name",
        sort: "name",
        cell: (row) => row.name,
        text: (row) => row.name,
      },
      {
        id: "rights",
        title: t`Allows`,
        width: "minmax(140px, 2fr)",
        room: "medium",
        cell: (row) => row.rights,
        text: (row) => row.rights,
      },
      {
        id: "user",
        title: t`Made by`,
        width: "minmax(120px, 1fr)",
        room: "low",
        sort: "user",
        cell: (row) => <Maker user={row.user} />,
        text: (row) => row.user,
      },
      {
        id: "used",
        title: t`Last used`,
        width: "104px",
        phone: "figure",
        sort: "used",
        cell: (row) => <Moment at={row.last_used} />,
        text: (row) => row.last_used ?? "",
      },
      {
        id: "address",
        title: t`From`,
        width: "minmax(104px, 1fr)",
        room: "low",
        cell: (row) => <span className="mono">{row.last_address}</span>,
        text: (row) => row.last_address,
      },
      {
        id: "state",
        title: t`State`,
        width: "minmax(150px, 1fr)",
        phone: "state",
        sort: "expires",
        cell: (row) => <TokenState row={row} />,
        text: (row) => row.expires ?? "",
      },
    ],
    [t],
  );
}

function Maker({ user }: { user: string }) {
  const { t } = useLingui();
  return user ? <span>{user}</span> : <span className="muted">{t`Command line`}</span>;
}

function TokenState({ row }: { row: TokenRow }) {
  const { t } = useLingui();
  const day = row.expires ? shortTime(new Date(row.expires)) : "";
  const said: Record<ReturnType<typeof standing>, [Mood, string]> = {
    good: ["ok", day ? t`good until ${day}` : t`good for ever`],
    soon: ["warn", t`ends ${day}`],
    expired: ["error", t`expired ${day}`],
  };
  const [mood, text] = said[standing(row)];
  return (
    <State mood={mood} icon={mood === "warn" ? "clock" : mood === "error" ? "error" : "ok"}>
      {text}
    </State>
  );
}

function TokenDrawer({
  name,
  model,
  onClose,
  onRemove,
}: {
  name: string;
  model: ListModel<TokenRow>;
  onClose: () => void;
  onRemove: () => void;
}) {
  const { t } = useLingui();
  const view = useSyncExternalStore(model.subscribe, model.get);
  const row = view.rows.find((each) => each.name === name);
  const how = row && standing(row);
  const ends = row?.expires ? exactTime(new Date(row.expires)) : "";
  return (
    <Drawer
      title={name}
      label={name}
      subtitle={row && (row.user || t`Command line`)}
      onClose={onClose}
      footer={
        row && (
          <Button kind="danger" icon="trash" onClick={onRemove}>
            <Trans>Remove token</Trans>
          </Button>
        )
      }
    >
      {!row ? (
        view.state === "ready" && <Notice icon="key" title={<Trans>There is no such token any more.</Trans>} />
      ) : (
        <>
          <Verdict
            mood={how === "expired" ? "error" : how === "soon" ? "warn" : "ok"}
            icon="key"
            title={
              how === "expired"
                ? t`It has expired and opens nothing`
                : row.last_used
                  ? t`In use`
                  : t`It has not been used yet`
            }
          />
          <Facts
            facts={[
              [t`Allows`, row.rights],
              [t`Made by`, <Maker key="by" user={row.user} />],
              [t`Created`, <Moment key="made" at={row.created} />],
              [t`Expires`, ends || t`never`],
              [t`Last used`, <Moment key="used" at={row.last_used} />],
              row.last_address !== "" && [t`From`, <code key="ip">{row.last_address}</code>],
            ]}
          />
          <p className="muted" style={{ marginTop: 16 }}>
            <Trans>
              It ends with its rights: when the user who made it is removed, renamed or may do less. The token itself is
              kept nowhere and cannot be shown again.
            </Trans>
          </p>
        </>
      )}
    </Drawer>
  );
}

/** A token that was removed does not come back: the question names it. */
function Remove({
  names,
  onClose,
  onRemoved,
}: {
  names: readonly string[];
  onClose: () => void;
  onRemoved: () => void;
}) {
  const { t } = useLingui();
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState("");
  const count = names.length;
  const remove = async () => {
    setBusy(true);
    setFault("");
    try {
      const { result } = await run<{ text: string }>("admin", "token-revoke", { names });
      toast(result.text);
      onRemoved();
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  const named = names.join(", ");
  return (
    <Dialog
      opened
      onClose={onClose}
      title={count === 1 ? t`Remove the token ${named}?` : t`Remove ${count} tokens?`}
      size={520}
    >
      {count > 1 && <p>{named}</p>}
      <p>
        <Plural
          value={count}
          one="Programs that use it are refused from now on. It cannot be brought back."
          other="Programs that use them are refused from now on. They cannot be brought back."
        />
      </p>
      <p className="error" role="alert">
        {fault}
      </p>
      <div className={dialog.buttons}>
        <Button onClick={onClose} data-autofocus>
          <Trans>Keep</Trans>
        </Button>
        <Button kind="danger" icon="trash" busy={busy} onClick={() => void remove()}>
          <Trans>Remove</Trans>
        </Button>
      </div>
    </Dialog>
  );
}
