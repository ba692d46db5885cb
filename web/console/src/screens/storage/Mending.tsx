/** The health of the store, and the work that looks at it or mends it. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { read, run } from "@/api/admin.ts";
import { useTopic } from "@/api/live.ts";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Marked } from "@/parts/base/Marked.tsx";
import { type Mood, State } from "@/parts/base/State.tsx";
import dialog from "@/parts/form/dialog.module.css";
import css from "./Storage.module.css";
import { type Operation, scope, verbOf } from "./storage.ts";
import { Work } from "./Work.tsx";

interface Check {
  readonly check: string;
  readonly state: string;
  readonly title: string;
  readonly text: string;
  readonly advice: string;
}

/** Shown where the place of the store is. */
const MOVES = ["move", "old-delete"];
const OURS = ["store", "flag-backups", "scanners"];

export function Mending({ operations: all }: { operations: readonly Operation[] }) {
  const operations = all.filter((each) => !MOVES.includes(verbOf(each) ?? ""));
  return (
    <section className={css.card}>
      <h2>
        <Trans>Indexes</Trans>
      </h2>
      <Checks />
      <Start />
      {operations.length > 0 && (
        <ul className={css.work}>
          {operations.slice(0, 6).map((each) => (
            <Work key={each.id} operation={each} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Checks() {
  const { t } = useLingui();
  const [live, setLive] = useState<readonly Check[] | null>(null);
  const first = useQuery({
    queryKey: ["doctor", "kept"],
    queryFn: ({ signal }) => read<{ checks: readonly Check[] }>("doctor", "", { kept: true, all: true }, signal),
    retry: false,
  });
  useTopic<{ checks: readonly Check[] }>("health", ({ checks }) => setLive(checks));
  const rows = (live ?? first.data?.checks ?? []).filter((each) => OURS.includes(each.check));
  const moods: Record<string, Mood> = { ok: "ok", warning: "warn", error: "error" };
  if (first.error && !live)
    return (
      <p className="error" role="alert">
        {first.error.message}
      </p>
    );
  return (
    <ul className={css.checks} aria-label={t`Health of the store`}>
      {rows.map(({ check, state, title, text, advice }) => (
        <li key={check}>
          <State mood={moods[state] ?? "muted"}>{title}</State>
          <span>
            <Marked text={text} /> {state !== "ok" && advice && <Marked text={advice} />}
          </span>
        </li>
      ))}
    </ul>
  );
}

type Verb = "check" | "repair" | "reindex";

function Start() {
  const { t } = useLingui();
  const id = useId();
  const queries = useQueryClient();
  const may = mayChange(useStore(me), "server");
  const [account, setAccount] = useState("");
  const [folder, setFolder] = useState("");
  const [busy, setBusy] = useState<Verb | null>(null);
  const [asked, setAsked] = useState(false);
  const [fault, setFault] = useState("");
  const because = may ? undefined : t`Your right is to look, not to change`;
  const every = account.trim() === "";
  const act = async (verb: Verb) => {
    setAsked(false);
    setBusy(verb);
    setFault("");
    try {
      const body = scope(account, folder);
      // What a wrong name would be refused for is said here, not by an operation that ends at once.
      if (!every) await read("user", "show", { name: account.trim() });
      if (verb === "check") await run("store", "check", body, { later: true });
      else if (verb === "repair") await run("store", "repair", body, { later: true });
      else await run("store", "reindex", body, { later: true });
      void queries.invalidateQueries({ queryKey: ["operation", "list"] });
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(null);
    }
  };
  return (
    <form
      className={css.start}
      onSubmit={(event) => {
        event.preventDefault();
        void act("check");
      }}
    >
      <div className={css.fields}>
        <label htmlFor={`${id}account`}>
          <Trans>Mailbox</Trans>
        </label>
        <input
          id={`${id}account`}
          className="field"
          value={account}
          placeholder={t`all mailboxes`}
          spellCheck={false}
          aria-invalid={!!fault}
          aria-describedby={`${id}fault`}
          onChange={(event) => setAccount(event.target.value)}
        />
        <label htmlFor={`${id}folder`}>
          <Trans>Folder</Trans>
        </label>
        <input
          id={`${id}folder`}
          className="field"
          value={every ? "" : folder}
          placeholder={t`all folders`}
          disabled={every}
          spellCheck={false}
          onChange={(event) => setFolder(event.target.value)}
        />
      </div>
      <div className={css.buttons}>
        <Button type="submit" icon="search" busy={busy === "check"}>
          <Trans>Check</Trans>
        </Button>
        <Button icon="tool" busy={busy === "repair"} disabledBecause={because} onClick={() => void act("repair")}>
          <Trans>Repair</Trans>
        </Button>
        <Button
          icon="redo"
          busy={busy === "reindex"}
          disabledBecause={because}
          onClick={() => (every ? setAsked(true) : void act("reindex"))}
        >
          <Trans>Reindex</Trans>
        </Button>
      </div>
      <p className="muted">
        <Trans>
          A check changes nothing. A repair heals what a check sees, gently. Reindexing makes each index anew from the
          messages on disk; the mail itself is not touched. Sessions and deliveries go on.
        </Trans>
      </p>
      <p id={`${id}fault`} className="error" role="alert">
        {fault}
      </p>
      <Dialog opened={asked} onClose={() => setAsked(false)} title={t`Reindex all mailboxes?`} size={480}>
        <p>
          <Trans>
            All indexes are made anew, one folder after the other. In large stores that takes hours; a repair is enough
            where only some are wrong.
          </Trans>
        </p>
        <div className={dialog.buttons}>
          <Button onClick={() => setAsked(false)} data-autofocus>
            <Trans>Cancel</Trans>
          </Button>
          <Button kind="primary" icon="redo" onClick={() => void act("reindex")}>
            <Trans>Reindex all</Trans>
          </Button>
        </div>
      </Dialog>
    </form>
  );
}
