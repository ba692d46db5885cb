/** Users who were removed: their mail is kept until it is purged, and they can be brought back. */
import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useId, useMemo, useState, useSyncExternalStore } from "react";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { type Page, question, read, run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { Button } from "@/parts/base/Button.tsx";
import { exactTime, Moment, number, octets } from "@/parts/base/Moment.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { State, Verdict } from "@/parts/base/State.tsx";
import { Drawer, Facts, Split } from "@/parts/drawer/Drawer.tsx";
import dialog from "@/parts/form/dialog.module.css";
import type { Column } from "@/parts/list/columns.ts";
import { List, type ListProps } from "@/parts/list/List.tsx";
import { ListModel } from "@/parts/list/model.ts";
import type { Query } from "@shared/http.ts";

import css from "./SignIns.module.css";

interface RemovedRow {
  readonly id: string;
  readonly address: string;
  readonly removed: string;
  readonly messages: number;
  readonly size: number;
  /** Password, names and settings are known too. */
  readonly record: boolean;
}

type Wanted = Pick<ListProps<RemovedRow>, "query" | "onQuery" | "open" | "onOpen" | "filters">;

export default function RemovedUsers({ may, ...list }: Wanted & { may: boolean }) {
  const { t } = useLingui();
  const model = useMemo(
    () =>
      new ListModel<RemovedRow>({
        id: (row) => row.id,
        fetch: ({ search, sort, filters, after, limit }, signal) => {
          const query: Query = { search, sort, domain: filters.domain ?? "", after, limit };
          return read<Page<RemovedRow>>("user", "removed-list", query, signal);
        },
      }),
    [],
  );
  const columns = useRemovedColumns();
  return (
    <Split>
      <List
        name="removed users"
        label={t`Removed users`}
        {...list}
        {...{ model, columns }}
        placeholder={t`Filter by address`}
        failed={t`The removed users could not be read.`}
        empty={
          <Notice icon="users" title={<Trans>Nobody was removed.</Trans>}>
            <p>
              <Trans>Who is removed stands here with all mail, until an administrator deletes it for good.</Trans>
            </p>
          </Notice>
        }
      />
      {list.open !== null && (
        <RemovedDrawer
          key={list.open}
          id={list.open}
          model={model}
          may={may}
          onClose={() => list.onOpen(null)}
          onChanged={() => {
            model.refresh();
            list.onOpen(null);
          }}
        />
      )}
    </Split>
  );
}

function useRemovedColumns(): readonly Column<RemovedRow>[] {
  const { t } = useLingui();
  return useMemo(
    () => [
      {
        id: "address",
        title: t`Address`,
        width: "minmax(160px, 2fr)",
        phone: "name",
        sort: "address",
        cell: (row) => row.address,
        text: (row) => row.address,
      },
      {
        id: "removed",
        title: t`Removed`,
        width: "112px",
        sort: "removed",
        cell: (row) => <Moment at={row.removed} />,
        text: (row) => row.removed,
      },
      {
        id: "messages",
        title: t`Messages`,
        width: "88px",
        align: "end",
        room: "medium",
        sort: "messages",
        cell: (row) => number(row.messages),
        text: (row) => row.messages,
      },
      {
        id: "size",
        title: t`Storage`,
        width: "88px",
        align: "end",
        phone: "figure",
        sort: "size",
        cell: (row) => octets(row.size),
        text: (row) => row.size,
      },
      {
        id: "state",
        title: t`Comes back`,
        width: "minmax(136px, 1fr)",
        phone: "state",
        cell: (row) =>
          row.record ? (
            <State mood="ok" icon="undo">{t`With settings`}</State>
          ) : (
            <State mood="info" icon="mail">{t`Mail only`}</State>
          ),
        text: (row) => (row.record ? t`With settings` : t`Mail only`),
      },
    ],
    [t],
  );
}

interface DrawerProps {
  id: string;
  model: ListModel<RemovedRow>;
  may: boolean;
  onClose: () => void;
  onChanged: () => void;
}

function RemovedDrawer({ id, model, may, onClose, onChanged }: DrawerProps) {
  const { t } = useLingui();
  const view = useSyncExternalStore(model.subscribe, model.get);
  const row = view.rows.find((each) => each.id === id);
  const field = useId();
  const [to, setTo] = useState<string | null>(null);
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const [asked, setAsked] = useState("");
  const act = async (verb: string, body: object) => {
    setBusy(true);
    setFault("");
    try {
      const { result, warnings } = await run<{ text: string }>("user", verb, body);
      toast([result.text, ...warnings].join(". "));
      onChanged();
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  if (!row)
    return (
      <Drawer title={t`Removed user`} label={t`Removed user`} onClose={onClose}>
        {view.state === "ready" && <Notice icon="users" title={<Trans>This one is no longer here.</Trans>} />}
      </Drawer>
    );
  const name = to ?? row.address;
  const restore = (event: FormEvent) => {
    event.preventDefault();
    void act("removed-restore", { removed: id, to: name.trim() === row.address ? "" : name.trim() });
  };
  const ask = async () => {
    try {
      setAsked(await question("user", "removed-purge", { removed: id }));
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <Drawer
      title={row.address}
      label={row.address}
      subtitle={t`Removed ${exactTime(new Date(row.removed))}`}
      onClose={onClose}
      footer={
        may && (
          <Button kind="danger" icon="trash" className="end" onClick={() => void ask()}>
            <Trans>Delete for good</Trans>
          </Button>
        )
      }
    >
      <Verdict mood="info" icon="box" title={t`The mail is kept, and nobody reaches it`}>
        <p>
          {row.record
            ? t`Password, names, groups and settings come back too, as far as they are still free.`
            : t`Only the mail is known: whoever comes back needs a new password.`}
        </p>
      </Verdict>
      <Facts
        facts={[
          [t`Messages`, number(row.messages)],
          [t`Storage`, octets(row.size)],
          [t`Removed`, <Moment key="at" at={row.removed} />],
          [t`ID`, <code key="id">{row.id}</code>],
        ]}
      />
      {may && (
        <form onSubmit={restore}>
          <h3>
            <label htmlFor={field}>
              <Trans>Bring back as</Trans>
            </label>
          </h3>
          <input
            id={field}
            className="field"
            style={{ width: "100%" }}
            value={name}
            spellCheck={false}
            aria-invalid={!!fault}
            aria-describedby={`${field}fault`}
            onChange={(event) => setTo(event.target.value)}
          />
          <p className="muted">
            <Trans>The same address, another one, or a user who has no mail yet.</Trans>
          </p>
          <p id={`${field}fault`} className="error" role="alert">
            {fault}
          </p>
          <div className={css.buttons}>
            <Button type="submit" kind="primary" icon="undo" busy={busy}>
              <Trans>Bring back</Trans>
            </Button>
          </div>
        </form>
      )}
      <Dialog opened={asked !== ""} onClose={() => setAsked("")} title={t`Delete for good?`} size={520}>
        <p>{asked}</p>
        <p className="muted">
          {t`${number(row.messages)} messages, ${octets(row.size)}. Nothing brings them back afterwards.`}
        </p>
        <div className={dialog.buttons}>
          <Button onClick={() => setAsked("")}>
            <Trans>Keep</Trans>
          </Button>
          <Button
            kind="danger"
            icon="trash"
            busy={busy}
            onClick={() => (setAsked(""), void act("removed-purge", { removed: id }))}
          >
            <Trans>Delete for good</Trans>
          </Button>
        </div>
      </Dialog>
    </Drawer>
  );
}
