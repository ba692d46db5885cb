/** Where the store is, and its way to another directory or disk. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useId, useState } from "react";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { question, read, run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Moment, number, octets, span } from "@/parts/base/Moment.tsx";
import { State } from "@/parts/base/State.tsx";
import dialog from "@/parts/form/dialog.module.css";
import css from "./Storage.module.css";
import { isAlive, type Left, type Operation, type Place, type Prospect, verbOf } from "./storage.ts";
import { Work } from "./Work.tsx";

export function Moving({ operations }: { operations: readonly Operation[] }) {
  const { t } = useLingui();
  const queries = useQueryClient();
  const may = mayChange(useStore(me), "server");
  const because = may ? undefined : t`Your right is to look, not to change`;
  const place = useQuery({
    queryKey: ["store", "place"],
    queryFn: ({ signal }) => read<Place>("store", "place", {}, signal),
    retry: false,
  });
  const ours = operations.filter((each) => ["move", "old-delete"].includes(verbOf(each) ?? ""));
  const busy = ours.some(isAlive);
  useEffect(() => {
    void queries.invalidateQueries({ queryKey: ["store", "place"] });
  }, [busy, queries]);
  const begun = () => void queries.invalidateQueries({ queryKey: ["operation", "list"] });
  if (!place.data)
    return place.error ? (
      <section className={css.card}>
        <p className="error" role="alert">
          {place.error.message}
        </p>
      </section>
    ) : null;
  return (
    <section className={css.card} id="place">
      <h2>
        <Trans>Place of the store</Trans>
      </h2>
      <p>
        <Trans>
          Mail, queue and logs are in <code>{place.data.folder}</code>.
        </Trans>
      </p>
      <Latest place={place.data} busy={busy} />
      {place.data.left.length > 0 && (
        <ul className={css.work} aria-label={t`Left behind by moves`}>
          {place.data.left.map((each) => (
            <Leftover key={each.path} left={each} because={because} begun={begun} />
          ))}
        </ul>
      )}
      {!busy && place.data.state !== "ready" && <Form because={because} begun={begun} />}
      {ours.length > 0 && (
        <ul className={css.work}>
          {ours.slice(0, 3).map((each) => (
            <Work key={each.id} operation={each} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Latest({ place, busy }: { place: Place; busy: boolean }) {
  const { t } = useLingui();
  const { target } = place;
  if (place.state === "failed")
    return (
      <>
        <State mood="error">{t`The move to ${target} failed; the store is where it was, with all mail`}</State>
        <p className="error">{place.error}</p>
      </>
    );
  if (place.state === "ready")
    return (
      <State mood="info" icon="clock">{t`The server starts anew for the last part of the move to ${target}`}</State>
    );
  if (place.state === "done" && place.ended && !busy) {
    const stopped = span(place.stopped);
    return (
      <p className="muted">
        <Trans>
          Moved here <Moment at={place.ended} /> by {place.by}; mail stopped for {stopped}.
        </Trans>
      </p>
    );
  }
  return null;
}

function Leftover({ left, because, begun }: { left: Left; because: string | undefined; begun: () => void }) {
  const { t } = useLingui();
  const [asked, setAsked] = useState("");
  const ask = async () => {
    try {
      setAsked(await question("store", "old-delete", { path: left.path }));
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), "failed");
    }
  };
  const go = async () => {
    setAsked("");
    try {
      await run("store", "old-delete", { path: left.path }, { later: true });
      begun();
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), "failed");
    }
  };
  return (
    <li>
      <div className={css.line}>
        <b>{left.kind === "store" ? t`The store before` : t`Unfinished copy`}</b>
        <code className="ellipsis">{left.path}</code>
        <Moment at={left.since} />
        <Button small kind="danger" icon="trash" disabledBecause={because} onClick={() => void ask()}>
          <Trans>Delete</Trans>
        </Button>
      </div>
      <Dialog opened={asked !== ""} onClose={() => setAsked("")} title={t`Delete it for good?`} size={520}>
        <p>{asked}</p>
        <div className={dialog.buttons}>
          <Button onClick={() => setAsked("")} data-autofocus>
            <Trans>Keep</Trans>
          </Button>
          <Button kind="danger" icon="trash" onClick={() => void go()}>
            <Trans>Delete for good</Trans>
          </Button>
        </div>
      </Dialog>
    </li>
  );
}

function Form({ because, begun }: { because: string | undefined; begun: () => void }) {
  const { t } = useLingui();
  const id = useId();
  const [to, setTo] = useState("");
  const [looking, setLooking] = useState(false);
  const [prospect, setProspect] = useState<Prospect | null>(null);
  const [fault, setFault] = useState("");
  const look = async () => {
    setLooking(true);
    setFault("");
    try {
      setProspect(await read<Prospect>("store", "move-check", { to: to.trim() }));
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    } finally {
      setLooking(false);
    }
  };
  const go = async () => {
    if (!prospect) return;
    setProspect(null);
    try {
      await run("store", "move", { to: prospect.target }, { later: true });
      setTo("");
      begun();
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <form
      className={css.start}
      onSubmit={(event) => {
        event.preventDefault();
        void look();
      }}
    >
      <div className={css.fields}>
        <label htmlFor={`${id}to`}>
          <Trans>Move to</Trans>
        </label>
        <input
          id={`${id}to`}
          className="field"
          value={to}
          placeholder="/srv/mail/store"
          spellCheck={false}
          aria-invalid={!!fault}
          aria-describedby={`${id}fault`}
          onChange={(event) => setTo(event.target.value)}
        />
        <Button
          type="submit"
          icon="search"
          busy={looking}
          disabledBecause={because ?? (to.trim() ? undefined : t`Name a directory first`)}
        >
          <Trans>See what it takes</Trans>
        </Button>
      </div>
      <p className={`muted ${css.after}`}>
        <Trans>
          The store is copied while mail goes on; at the end the server stops shortly for what changed and starts by
          itself. The store before stays until you delete it.
        </Trans>
      </p>
      <p id={`${id}fault`} className="error" role="alert">
        {fault}
      </p>
      <Dialog opened={!!prospect} onClose={() => setProspect(null)} title={t`Move the store?`} size={520}>
        {prospect && <Estimate prospect={prospect} />}
        <div className={dialog.buttons}>
          <Button onClick={() => setProspect(null)} data-autofocus>
            <Trans>Cancel</Trans>
          </Button>
          <Button kind="primary" icon="disk" onClick={() => void go()}>
            <Trans>Move the store</Trans>
          </Button>
        </div>
      </Dialog>
    </form>
  );
}

function Estimate({ prospect }: { prospect: Prospect }) {
  const stopped = span(prospect.stopped);
  if (prospect.by_rename)
    return (
      <p>
        <Trans>
          <code>{prospect.target}</code> is on the same file system: the directory gets another name, and nothing is
          copied. Mail stops for about {stopped}.
        </Trans>
      </p>
    );
  const [files, size, free] = [number(prospect.files), octets(prospect.size), octets(prospect.free)];
  const copying = span(Math.max(1, prospect.copying));
  return (
    <>
      <p>
        <Trans>
          {files} files, {size}, go to <code>{prospect.target}</code>, which has {free} free. Copying takes about{" "}
          {copying} and can be cancelled; then mail stops for about {stopped}.
        </Trans>
      </p>
      {prospect.resumes && (
        <p>
          <Trans>An unfinished copy is there already: it is gone on from.</Trans>
        </p>
      )}
    </>
  );
}
