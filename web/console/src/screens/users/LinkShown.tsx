/** A link that was made a moment ago: to copy, to be read by a phone, to be mailed. It is gone with the page. */
import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useId, useState } from "react";
import { Button } from "@/parts/base/Button.tsx";
import { Moment } from "@/parts/base/Moment.tsx";
import { Qr } from "@/parts/qr/Qr.tsx";
import { faultsOf } from "@/parts/form/faults.ts";
import { type Link, makeLink } from "./link.ts";
import css from "./LinkShown.module.css";

export function LinkShown({ made, onMade }: { made: Link; onMade: (link: Link) => void }) {
  const { t } = useLingui();
  const id = useId();
  const [copied, setCopied] = useState("");
  const [to, setTo] = useState("");
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const copy = () =>
    navigator.clipboard.writeText(made.link).then(
      () => setCopied(made.link),
      () => undefined,
    );
  const mail = async (event: FormEvent) => {
    event.preventDefault();
    if (!to.trim() || busy) return;
    setBusy(true);
    setFault("");
    try {
      onMade(await makeLink(made.address, to));
      setTo("");
    } catch (error) {
      setFault(Object.values(faultsOf(error, [{ name: "mail_to" }])).join(" "));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className={css.shown}>
      <div className={css.line}>
        <code>{made.link}</code>
        <Button small onClick={() => void copy()}>
          {copied === made.link ? t`Copied` : t`Copy the link`}
        </Button>
      </div>
      <Qr text={made.link} label={t`The link as a QR code`} />
      <p className="muted">
        {made.sent_to ? (
          <Trans>
            Mailed to {made.sent_to}. It can be used once, until <Moment at={made.expires} />.
          </Trans>
        ) : (
          <Trans>
            Shown this once; it can be used once, until <Moment at={made.expires} />. Whoever has it can set the
            password.
          </Trans>
        )}
      </p>
      <form className={css.mail} onSubmit={(event) => void mail(event)}>
        <label htmlFor={`${id}to`}>
          <Trans>Mail it to another address</Trans>
        </label>
        <div className={css.line}>
          <input
            id={`${id}to`}
            className="field"
            type="text"
            inputMode="email"
            value={to}
            spellCheck={false}
            autoCapitalize="none"
            autoComplete="off"
            aria-invalid={!!fault}
            aria-describedby={`${id}fault ${id}new`}
            onChange={(event) => setTo(event.target.value)}
          />
          <Button type="submit" busy={busy} disabledBecause={to.trim() ? undefined : t`Type an address first`}>
            <Trans>Mail</Trans>
          </Button>
        </div>
        <p id={`${id}fault`} className="error" role="alert">
          {fault}
        </p>
        <p id={`${id}new`} className="muted">
          <Trans>A new link is made for the mail and shown here; this one opens nothing any more.</Trans>
        </p>
      </form>
    </div>
  );
}
