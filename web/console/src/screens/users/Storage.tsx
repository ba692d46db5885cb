/** A mailbox from inside: folders and sizes, its health and the work on it, what was deleted and can come back. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { read, run, stream } from "@/api/admin.ts";
import { me, mayChange, reaches } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Button } from "@/parts/base/Button.tsx";
import { number, octets } from "@/parts/base/Moment.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { State, Verdict } from "@/parts/base/State.tsx";
import { FormSkeleton } from "@/parts/form/FormSkeleton.tsx";
import { Deleted } from "./Deleted.tsx";
import css from "./Storage.module.css";
import { type FolderLine, type FolderSize, placed, share, sums } from "./storage.ts";

interface Quota {
  readonly bytes: number;
  readonly quota: number;
  readonly messages: number;
  readonly quota_messages: number;
  readonly percent: number;
}

const NEARLY = 80;

export function Storage({ address }: { address: string }) {
  const who = useStore(me);
  const whole = reaches(who, "server-read");
  return (
    <>
      <Held address={address} />
      {whole && <Folders address={address} />}
      {whole && <Deleted address={address} />}
    </>
  );
}

function Held({ address }: { address: string }) {
  const { t } = useLingui();
  const { data, error, refetch } = useQuery({
    queryKey: ["user", "quota", address],
    queryFn: ({ signal }) => read<Quota>("user", "quota", { name: address }, signal),
    retry: false,
  });
  if (!data)
    return error ? (
      <Failure what={t`What the mailbox holds could not be read.`} error={error} retry={() => void refetch()} />
    ) : (
      <FormSkeleton />
    );
  const { bytes, quota, messages, percent } = data;
  const mood = percent >= 100 ? "error" : percent >= NEARLY ? "warn" : "ok";
  const held = octets(bytes);
  return (
    <Verdict
      mood={mood}
      icon="disk"
      title={
        percent >= 100
          ? t`The mailbox is full: mail is refused`
          : quota
            ? t`${held} of ${octets(quota)} used`
            : t`${held}, no limit`
      }
    >
      {(quota > 0 || data.quota_messages > 0) && (
        <div className={css.bar} data-mood={mood}>
          <i style={{ width: `${Math.min(100, percent)}%` }} />
        </div>
      )}
      <p>
        <Plural value={messages} one="# message" other="# messages" />
        {data.quota_messages > 0 && ` ${t`of ${number(data.quota_messages)}`}`}
      </p>
    </Verdict>
  );
}

function Folders({ address }: { address: string }) {
  const { t } = useLingui();
  const { data, error, refetch } = useQuery({
    queryKey: ["store", "size", address],
    queryFn: async ({ signal }) => {
      const folders: FolderSize[] = [];
      for await (const each of stream<FolderSize>("store", "size", { account: address }, signal)) folders.push(each);
      return folders;
    },
    retry: false,
  });
  if (!data)
    return error ? (
      <Failure what={t`The folders could not be read.`} error={error} retry={() => void refetch()} />
    ) : null;
  const all = sums(data);
  return (
    <>
      <h3>
        <Trans>Folders</Trans>
      </h3>
      <table className={css.folders}>
        <thead>
          <tr>
            <th scope="col">
              <Trans>Folder</Trans>
            </th>
            <th scope="col">
              <Trans>Messages</Trans>
            </th>
            <th scope="col">
              <Trans>Size</Trans>
            </th>
            <th scope="col">
              <Trans>Deleted, kept</Trans>
            </th>
          </tr>
        </thead>
        <tbody>
          {data.map((each) => {
            const { depth, name } = placed(each.folder);
            return (
              <tr key={each.folder}>
                <td style={{ paddingLeft: depth * 16 }} title={each.folder}>
                  {name}
                </td>
                <td>{each.messages ? number(each.messages) : <span className="muted">0</span>}</td>
                <td>{each.size ? octets(each.size) : <span className="muted">0 B</span>}</td>
                <td className="muted">{each.deleted_messages ? octets(each.deleted_size) : ""}</td>
              </tr>
            );
          })}
        </tbody>
        <tfoot>
          <tr>
            <td>
              <Trans>Total</Trans>
            </td>
            <td>{number(all.messages)}</td>
            <td>{octets(all.size)}</td>
            <td>{all.deletedMessages ? octets(all.deletedSize) : ""}</td>
          </tr>
        </tfoot>
      </table>
      <Health address={address} folders={data.length} onDone={() => void refetch()} />
    </>
  );
}

type Verb = "check" | "repair" | "reindex";

interface Work {
  readonly verb: Verb;
  readonly operation: string;
  readonly lines: readonly FolderLine[];
  readonly state: "running" | "done" | "failed";
  readonly error: string;
}

/** Index and files of the mailbox: compared, healed, made anew. The work goes on if the drawer is closed. */
function Health({ address, folders, onDone }: { address: string; folders: number; onDone: () => void }) {
  const { t } = useLingui();
  const who = useStore(me);
  const queries = useQueryClient();
  const [work, setWork] = useState<Work | null>(null);
  const watching = useRef<AbortController | null>(null);
  useEffect(() => () => watching.current?.abort(), []);
  const start = async (verb: Verb) => {
    watching.current?.abort();
    const stop = new AbortController();
    watching.current = stop;
    const lines: FolderLine[] = [];
    const show = (part: Partial<Work>) =>
      setWork((before) => ({
        verb,
        operation: before?.operation ?? "",
        state: "running",
        error: "",
        ...part,
        lines: [...lines],
      }));
    show({ operation: "" });
    try {
      const { operation } = await run("store", verb, { account: address }, { later: true, signal: stop.signal });
      show({ operation });
      const items = stream<{ item: FolderLine }>("operation", "watch", { id: operation }, stop.signal);
      for await (const { item } of items) {
        lines.push(item);
        show({ operation });
      }
      show({ operation, state: "done" });
      await queries.invalidateQueries({ queryKey: ["user", "quota", address] });
      onDone();
    } catch (error) {
      if (!stop.signal.aborted)
        show({ state: "failed", error: error instanceof Error ? error.message : String(error) });
    }
  };
  const busy = work?.state === "running";
  const because = busy ? t`Work on this mailbox is under way` : undefined;
  const may = mayChange(who, "server");
  const button = (verb: Verb, text: string) => (
    <Button onClick={() => void start(verb)} busy={busy && work.verb === verb} disabledBecause={because}>
      {text}
    </Button>
  );
  return (
    <>
      <h3>
        <Trans>Health</Trans>
      </h3>
      <p className="muted">
        <Trans>
          Check compares the index of each folder with the messages on disk. Repair heals what is wrong. Reindex makes
          all of it anew. The mail itself is not touched, and the user can go on working.
        </Trans>
      </p>
      <div className={css.buttons}>
        {button("check", t`Check`)}
        {may && button("repair", t`Repair`)}
        {may && button("reindex", t`Reindex`)}
        {busy && work.operation && (
          <Button kind="quiet" icon="stop" onClick={() => void run("operation", "cancel", { id: work.operation })}>
            <Trans>Stop</Trans>
          </Button>
        )}
      </div>
      {work && <Progress work={work} folders={folders} />}
    </>
  );
}

function Progress({ work, folders }: { work: Work; folders: number }) {
  const { t } = useLingui();
  const { lines, state } = work;
  const done = lines.length;
  const wrong = lines.filter((line) => line.problems.length || line.repaired.length);
  const problems = lines.reduce((sum, line) => sum + line.problems.length, 0);
  const last = lines.at(-1)?.folder ?? "";
  return (
    <>
      {state === "running" && (
        <>
          <div
            className={css.bar}
            role="progressbar"
            aria-label={t`Progress`}
            aria-valuenow={Math.round(share(done, folders) * 100)}
          >
            <i style={{ width: `${share(done, folders) * 100}%` }} />
          </div>
          <p className="muted" role="status">
            {t`${number(done)} of ${number(folders)} folders`} {last}
          </p>
        </>
      )}
      {state === "failed" && (
        <p className="error" role="alert">
          {work.error}
        </p>
      )}
      {state === "done" && (
        <p role="status">
          {problems ? (
            <State mood="warn">
              <Plural value={problems} one="# problem is left" other="# problems are left" />
            </State>
          ) : wrong.length ? (
            <State mood="ok">
              <Plural value={wrong.length} one="# folder was mended" other="# folders were mended" />
            </State>
          ) : (
            <State mood="ok">
              <Plural value={done} one="# folder is in order" other="All # folders are in order" />
            </State>
          )}
        </p>
      )}
      {wrong.length > 0 && (
        <ul className={css.results}>
          {wrong.map((line) => (
            <li key={line.folder}>
              <b>{line.folder}</b>
              {line.problems.map((text) => (
                <p key={text} className="warn">
                  {text}
                </p>
              ))}
              {line.repaired.map((text) => (
                <p key={text} className="muted">
                  {text}
                </p>
              ))}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
