/** What a user deleted and can have back: folders, and messages for those who may see people's mail. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { type Page, question, read, run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { Moment, octets } from "@/parts/base/Moment.tsx";
import dialog from "@/parts/form/dialog.module.css";
import css from "./Storage.module.css";

interface DeletedLine {
  readonly id: string;
  readonly sender: string;
  readonly subject: string;
  readonly folder: string;
  readonly deleted: string;
  readonly size: number;
}

interface DeletedFolder {
  readonly id: string;
  readonly name: string;
  readonly deleted: string;
  readonly messages: number;
  readonly size: number;
}

const PAGE = 50;

export function Deleted({ address }: { address: string }) {
  const who = useStore(me);
  const queries = useQueryClient();
  const may = mayChange(who, "server");
  const again = () => {
    for (const key of [["store"], ["user", "quota", address]]) void queries.invalidateQueries({ queryKey: key });
  };
  return (
    <>
      <h3>
        <Trans>Deleted, and kept for a while</Trans>
      </h3>
      <GoneFolders address={address} may={may} again={again} />
      {who?.mail_read ? (
        <GoneMessages address={address} may={may} again={again} />
      ) : (
        <p className="muted">
          <Trans>Deleted messages are seen by those with the right “mail-read”.</Trans>
        </p>
      )}
    </>
  );
}

interface Props {
  address: string;
  may: boolean;
  again: () => void;
}

interface Purging {
  readonly verb: string;
  readonly body: object;
  readonly text: string;
}

/** Asks what the server asks, since nothing brings it back. */
function usePurge(again: () => void) {
  const [purging, setPurging] = useState<Purging | null>(null);
  const ask = async (verb: string, body: object) => {
    try {
      setPurging({ verb, body, text: await question("store", verb, body) });
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), "failed");
    }
  };
  const dialogue = (
    <Purge
      purging={purging}
      onClose={() => setPurging(null)}
      onDone={() => {
        setPurging(null);
        again();
      }}
    />
  );
  return { ask, dialogue };
}

function Purge({ purging, onClose, onDone }: { purging: Purging | null; onClose: () => void; onDone: () => void }) {
  const { t } = useLingui();
  const [busy, setBusy] = useState(false);
  const go = async () => {
    if (!purging) return;
    setBusy(true);
    await act("store", purging.verb, purging.body);
    setBusy(false);
    onDone();
  };
  return (
    <Dialog opened={!!purging} onClose={onClose} title={t`Remove for good?`} size={520}>
      <p>{purging?.text}</p>
      <div className={dialog.buttons}>
        <Button onClick={onClose}>
          <Trans>Keep</Trans>
        </Button>
        <Button kind="danger" icon="trash" busy={busy} onClick={() => void go()}>
          <Trans>Remove for good</Trans>
        </Button>
      </div>
    </Dialog>
  );
}

async function act(noun: string, verb: string, body: object): Promise<void> {
  try {
    const { result } = await run<{ text: string }>(noun, verb, body);
    toast(result.text);
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error), "failed");
  }
}

function GoneFolders({ address, may, again }: Props) {
  const { t } = useLingui();
  const { ask, dialogue } = usePurge(again);
  const { data, error } = useQuery({
    queryKey: ["store", "undelete-folders", address],
    queryFn: ({ signal }) => read<Page<DeletedFolder>>("store", "undelete-folders", { account: address }, signal),
    retry: false,
  });
  if (error) return <p className="error">{error.message}</p>;
  if (!data?.items.length) return null;
  return (
    <>
      <ul className={css.deleted} aria-label={t`Deleted folders`}>
        {data.items.map((folder) => (
          <li key={folder.id}>
            <Icon name="folder" />
            <div>
              <b>{folder.name}</b>
              <small>
                <Plural value={folder.messages} one="# message" other="# messages" />, {octets(folder.size)},{" "}
                <Trans>deleted</Trans> <Moment at={folder.deleted} />
              </small>
            </div>
            {may && (
              <span className={css.buttons}>
                <Button
                  small
                  icon="undo"
                  onClick={() => void act("store", "undelete-folder", { account: address, id: folder.id }).then(again)}
                >
                  <Trans>Restore</Trans>
                </Button>
                <Button
                  small
                  kind="danger"
                  aria-label={t`Remove ${folder.name} for good`}
                  icon="trash"
                  onClick={() => void ask("undelete-purge-folder", { account: address, id: folder.id })}
                />
              </span>
            )}
          </li>
        ))}
      </ul>
      {dialogue}
    </>
  );
}

/** Only when asked for: that it was looked at stands in the security log. */
function GoneMessages({ address, may, again }: Props) {
  const { t } = useLingui();
  const [typed, setTyped] = useState("");
  const [asked, setAsked] = useState<string | null>(null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setAsked(typed.trim());
  };
  return (
    <>
      <form className={css.find} onSubmit={submit}>
        <input
          className="field"
          aria-label={t`Sender or subject`}
          placeholder={t`Sender or subject`}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <Button type="submit" icon="search">
          <Trans>Show deleted messages</Trans>
        </Button>
      </form>
      {asked === null ? (
        <p className="muted">
          <Trans>Senders and subjects are people's mail: that you looked stands in the security log.</Trans>
        </p>
      ) : (
        <Messages key={asked} {...{ address, may, again }} text={asked} />
      )}
    </>
  );
}

function Messages({ address, may, again, text }: Props & { text: string }) {
  const { t } = useLingui();
  const [pages, setPages] = useState(1);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const { ask, dialogue } = usePurge(() => (setChosen(new Set()), again()));
  const { data, error, isPending } = useQuery({
    queryKey: ["store", "undelete-list", address, text, pages],
    queryFn: ({ signal }) =>
      read<Page<DeletedLine>>("store", "undelete-list", { account: address, text, limit: PAGE * pages }, signal),
    retry: false,
    placeholderData: (before) => before,
  });
  if (error) return <p className="error">{error.message}</p>;
  if (isPending || !data) return null;
  if (!data.items.length)
    return (
      <p className="muted">
        {text ? t`No deleted message has “${text}” in its sender or subject.` : t`No deleted messages are kept.`}
      </p>
    );
  const ids = [...chosen];
  const toggle = (id: string) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const restore = async () => {
    await act("store", "undelete-restore", { account: address, ids });
    setChosen(new Set());
    again();
  };
  return (
    <>
      {may && (
        <div className={css.buttons}>
          <Button
            icon="undo"
            onClick={() => void restore()}
            disabledBecause={ids.length ? undefined : t`Choose messages first`}
          >
            <Plural value={ids.length} one="Restore # message" other="Restore # messages" />
          </Button>
          <Button
            kind="danger"
            icon="trash"
            onClick={() => void ask("undelete-purge", { account: address, ids })}
            disabledBecause={ids.length ? undefined : t`Choose messages first`}
          >
            <Trans>Remove for good</Trans>
          </Button>
          <Button
            kind="quiet"
            onClick={() =>
              setChosen(ids.length === data.items.length ? new Set() : new Set(data.items.map((each) => each.id)))
            }
          >
            {ids.length === data.items.length ? t`Choose none` : t`Choose all that are shown`}
          </Button>
        </div>
      )}
      <ul className={css.deleted} aria-label={t`Deleted messages`}>
        {data.items.map((each) => (
          <li key={each.id}>
            {may ? (
              <input
                type="checkbox"
                id={`gone${each.id}`}
                checked={chosen.has(each.id)}
                onChange={() => toggle(each.id)}
              />
            ) : (
              <Icon name="mail" />
            )}
            <label htmlFor={`gone${each.id}`}>
              <b className="ellipsis">{each.subject || t`(no subject)`}</b>
              <small className="ellipsis">
                {each.sender || t`unknown sender`} · {each.folder} · {octets(each.size)}
              </small>
            </label>
            <Moment at={each.deleted} />
          </li>
        ))}
      </ul>
      {data.more && (
        <Button small onClick={() => setPages(pages + 1)}>
          <Trans>Show more</Trans>
        </Button>
      )}
      {dialogue}
    </>
  );
}
