/** One piece of work on the store: how far it is, what it came upon, and its end before its time. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useState } from "react";
import { run, stream } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Moment, number } from "@/parts/base/Moment.tsx";
import { type Mood, State } from "@/parts/base/State.tsx";
import css from "./Storage.module.css";
import { type FolderLine, isAlive, NOTHING, type Operation, type Outcome, taken, verbOf } from "./storage.ts";

/** Milliseconds. */
const JUST_BEGUN = 10_000;
/** Milliseconds between two times that what came is drawn. */
const PAINT = 250;

export function Work({ operation }: { operation: Operation }) {
  const { t } = useLingui();
  const verb = verbOf(operation);
  const alive = isAlive(operation);
  // What was begun a moment ago may have ended before it was seen here.
  const [open, setOpen] = useState(() => alive || Date.now() - Date.parse(operation.started) < JUST_BEGUN);
  const names = {
    check: t`Check`,
    repair: t`Repair`,
    reindex: t`Reindex`,
    count: t`Count`,
    move: t`Move the store`,
    "old-delete": t`Delete`,
  };
  // Only work on folders comes upon something.
  const lists = verb === "check" || verb === "repair" || verb === "reindex";
  const words = operation.work.replace(/^store [\w-]+ ?/, "");
  const what = words === "--all" || words === "" ? t`all mailboxes` : words;
  const cancel = async () => {
    try {
      await run("operation", "cancel", { id: operation.id });
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), "failed");
    }
  };
  const { percent } = operation;
  return (
    <li>
      <div className={css.line}>
        <b>{verb && names[verb]}</b>
        <span className="ellipsis">{what}</span>
        <WorkState operation={operation} />
        <Moment at={operation.started} />
        {alive && (
          <Button small icon="stop" onClick={() => void cancel()}>
            <Trans>Cancel</Trans>
          </Button>
        )}
        {lists && (
          <Button small kind="quiet" icon={open ? "up" : "down"} aria-expanded={open} onClick={() => setOpen(!open)}>
            <Trans>What it came upon</Trans>
          </Button>
        )}
      </div>
      {alive && (
        <div
          className={css.progress}
          role="progressbar"
          aria-label={`${verb ? names[verb] : ""} ${what}`}
          aria-valuenow={percent}
          aria-valuemin={0}
          aria-valuemax={100}
        >
          <i style={{ width: `${percent}%` }} />
        </div>
      )}
      {operation.error && operation.state === "failed" && <p className="error">{operation.error}</p>}
      {open && lists && <Result id={operation.id} />}
    </li>
  );
}

function WorkState({ operation: { state, percent } }: { operation: Operation }) {
  const { t } = useLingui();
  const words: Record<string, [Mood, string]> = {
    waiting: ["info", t`begins soon`],
    running: ["info", `${percent} %`],
    done: ["ok", t`done`],
    failed: ["error", t`failed`],
    cancelled: ["muted", t`cancelled at ${percent} %`],
    undone: ["muted", t`undone`],
    interrupted: ["warn", t`cut off by the end of the server`],
    tried: ["ok", t`done`],
  };
  const [mood, text] = words[state] ?? ["muted", state];
  return (
    <State mood={mood} icon={mood === "info" ? "clock" : mood === "muted" ? "stop" : mood}>
      {text}
    </State>
  );
}

/** Folders as they were looked at; those with something to say by name. */
function Result({ id }: { id: string }) {
  const { t } = useLingui();
  const [outcome, setOutcome] = useState<Outcome>(NOTHING);
  const [over, setOver] = useState(false);
  useEffect(() => {
    const stop = new AbortController();
    let now = NOTHING;
    const timer = setInterval(() => setOutcome(now), PAINT);
    const follow = async () => {
      for await (const { item } of stream<{ item: FolderLine | null }>("operation", "watch", { id }, stop.signal))
        if (item && Array.isArray(item.problems)) now = taken(now, item);
    };
    follow()
      // How it ended stands beside it.
      .catch(() => undefined)
      .finally(() => {
        clearInterval(timer);
        if (stop.signal.aborted) return;
        setOutcome(now);
        setOver(true);
      });
    return () => (stop.abort(), clearInterval(timer));
  }, [id]);
  const { folders, messages, lines, wrong, mended } = outcome;
  if (over && !folders)
    return (
      <p className="muted">
        <Trans>Nothing of it is kept any more.</Trans>
      </p>
    );
  return (
    <div className={css.result}>
      <p className="muted">
        <Plural value={folders} one="# folder" other="# folders" />, {number(messages)}{" "}
        <Plural value={messages} one="message" other="messages" />
        {": "}
        {wrong + mended === 0 ? (
          t`nothing is wrong`
        ) : (
          <>
            <Plural value={wrong} one="# with something wrong" other="# with something wrong" />
            {", "}
            <Plural value={mended} one="# mended" other="# mended" />
          </>
        )}
      </p>
      {lines.length > 0 && (
        <ul>
          {lines.map((line) => (
            <li key={`${line.account} ${line.folder}`}>
              <span>
                {line.account} <b>{line.folder}</b>
              </span>
              <span>
                {line.problems.map((text) => (
                  <State key={text} mood="error">
                    {text}
                  </State>
                ))}
                {line.repaired.map((text) => (
                  <State key={text} mood="ok" icon="tool">
                    {text}
                  </State>
                ))}
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
