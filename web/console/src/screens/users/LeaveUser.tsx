/** What becomes of a user who leaves: all choices in one place, the server's review of them, one undo. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useDeferredValue, useId, useState } from "react";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { question } from "@/api/admin.ts";
import { undoable } from "@/api/operations.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Marked } from "@/parts/base/Marked.tsx";
import dialog from "@/parts/form/dialog.module.css";
import people from "@/parts/people/people.module.css";
import { AddressInput, addressesIn } from "@/parts/people/AddressInput.tsx";
import { leaveArguments, type Departure, lacking } from "./leave.ts";
import css from "./users.module.css";

interface Props {
  address: string;
  name: string;
  opened: boolean;
  onClose: () => void;
  /** At once, and again when it is done or undone. */
  onLeft: () => void;
}

export function LeaveUser({ address, name, opened, onClose, onLeft }: Props) {
  const { t } = useLingui();
  return (
    <Dialog opened={opened} onClose={onClose} title={t`What becomes of ${name}`} size={600}>
      {opened && <Choices address={address} name={name} onClose={onClose} onLeft={onLeft} />}
    </Dialog>
  );
}

const NOTHING: Departure = { mail: "kept", to: "", text: "", given: "", deleted: "", named: "stays", instead: "" };

function Choices({ address, name, onClose, onLeft }: Omit<Props, "opened">) {
  const { t } = useLingui();
  const id = useId();
  const [chosen, setChosen] = useState(NOTHING);
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const choose = (more: Partial<Departure>) => setChosen((before) => ({ ...before, ...more }));
  const missing = {
    to: t`Say who gets the mail`,
    text: t`Write the text with which mail is refused`,
    instead: t`Say who is named instead`,
    "": undefined,
  }[lacking(chosen)];
  const body = leaveArguments(address, chosen, addressesIn);
  const asked = useDeferredValue(JSON.stringify(body));
  const review = useQuery({
    queryKey: ["user", "leave", asked],
    enabled: !missing,
    queryFn: () => question("user", "leave", JSON.parse(asked) as object),
    placeholderData: (before) => before,
    retry: false,
    gcTime: 0,
  });
  const refused = !missing && review.error instanceof Error ? review.error.message : "";
  const go = async (event: FormEvent) => {
    event.preventDefault();
    if (missing || refused) return;
    setBusy(true);
    setFault("");
    try {
      await undoable("user", "leave", body, { said: t`${name} leaves`, undone: t`${name} stays`, done: onLeft });
      onClose();
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form className={people.form} onSubmit={(event) => void go(event)} noValidate>
      <p className="muted">
        <Trans>Sign-in is off and sessions end. All of it is one change, which can be undone.</Trans>
      </p>
      <label htmlFor={`${id}mail`}>
        <Trans>Mail from now on</Trans>
      </label>
      <div className={css.choice}>
        <select
          id={`${id}mail`}
          className="select"
          value={chosen.mail}
          data-autofocus
          onChange={(event) => choose({ mail: event.target.value as Departure["mail"] })}
        >
          <option value="kept">{t`is kept in the mailbox`}</option>
          <option value="to">{t`goes to others`}</option>
          <option value="refused">{t`is refused with a text`}</option>
        </select>
        {chosen.mail === "to" && (
          <AddressInput
            label={t`Who gets the mail`}
            value={chosen.to}
            placeholder={t`name@example.org`}
            onChange={(to) => choose({ to })}
          />
        )}
        {chosen.mail === "refused" && (
          <input
            className="field"
            aria-label={t`Text with which mail is refused`}
            value={chosen.text}
            maxLength={200}
            placeholder={t`Anna has left, please write to bob@example.org`}
            onChange={(event) => choose({ text: event.target.value })}
          />
        )}
      </div>
      <label htmlFor={`${id}given`}>
        <Trans>Who gets a copy of the mailbox</Trans>
      </label>
      <AddressInput
        id={`${id}given`}
        value={chosen.given}
        placeholder={t`nobody`}
        onChange={(given) => choose({ given })}
      />
      <label htmlFor={`${id}deleted`}>
        <Trans>Day on which user and mailbox are deleted</Trans>
      </label>
      <div className={css.choice}>
        <input
          id={`${id}deleted`}
          className="field"
          type="date"
          value={chosen.deleted}
          aria-describedby={`${id}deletedhelp`}
          onChange={(event) => choose({ deleted: event.target.value })}
        />
        <span className="muted" id={`${id}deletedhelp`}>
          <Trans>Without a day both are kept.</Trans>
        </span>
      </div>
      <label htmlFor={`${id}named`}>
        <Trans>In groups, aliases and forwardings of others</Trans>
      </label>
      <div className={css.choice}>
        <select
          id={`${id}named`}
          className="select"
          value={chosen.named}
          onChange={(event) => choose({ named: event.target.value as Departure["named"] })}
        >
          <option value="stays">{t`the address stays`}</option>
          <option value="instead">{t`somebody else is named instead`}</option>
          <option value="out">{t`the address is taken out`}</option>
        </select>
        {chosen.named === "instead" && (
          <AddressInput
            label={t`Who is named instead`}
            value={chosen.instead}
            placeholder={t`name@example.org`}
            onChange={(instead) => choose({ instead })}
          />
        )}
      </div>
      <section className={css.review} aria-label={t`Review`} aria-live="polite">
        {missing || refused ? (
          <p className={refused ? "error" : "muted"}>{refused ? <Marked text={refused} /> : missing}</p>
        ) : (
          <p>
            <Marked text={review.data ?? ""} />
          </p>
        )}
      </section>
      <p className="error" role="alert">
        {fault}
      </p>
      <div className={dialog.buttons}>
        <Button onClick={onClose}>
          <Trans>Cancel</Trans>
        </Button>
        <Button
          type="submit"
          kind="danger"
          icon="ban"
          busy={busy || review.isFetching}
          disabledBecause={missing ?? (refused || undefined)}
        >
          <Trans>Carry it out</Trans>
        </Button>
      </div>
    </form>
  );
}
