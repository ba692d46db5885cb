/** The one-time code, which only the server's own console shows. */
import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useId, useState } from "react";
import { Button } from "@/parts/base/Button.tsx";
import { enter } from "./api.ts";
import css from "./Wizard.module.css";

export function CodeForm({ onDone }: { onDone: () => void }) {
  const { t } = useLingui();
  const [code, setCode] = useState("");
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const id = useId();

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFault("");
    try {
      await enter(code);
      onDone();
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <form className={css.code} onSubmit={(event) => void submit(event)}>
      <label htmlFor={id}>
        <Trans>One-time code</Trans>
      </label>
      <input
        id={id}
        value={code}
        onChange={(event) => setCode(event.target.value)}
        autoComplete="one-time-code"
        autoCapitalize="none"
        spellCheck={false}
        placeholder="xxxx-xxxx-xxxx-xxxx"
        required
        autoFocus
        aria-invalid={!!fault}
        aria-describedby={`${id}fault ${id}help`}
      />
      <p id={`${id}fault`} className="error" role="alert">
        {fault}
      </p>
      <p id={`${id}help`} className="muted">
        <Trans>
          The server printed it when it was started, and <code>whimbrel setup code</code> shows it again, with the
          fingerprint of the certificate: compare that with what your browser shows.
        </Trans>
      </p>
      <Button
        kind="primary"
        type="submit"
        busy={busy}
        disabledBecause={code.trim() ? undefined : t`Type the code first`}
      >
        <Trans>Begin</Trans>
      </Button>
    </form>
  );
}
