/** Rights, tokens, exports and people's mail ask for the password once more; then what waits for it is done. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Modal } from "@mantine/core";
import { ApiError } from "@shared/errors.ts";
import { type FormEvent, useEffect, useId, useState } from "react";
import { disprove, me, prove, unproved } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Button } from "@/parts/base/Button.tsx";

export function Prove() {
  const { t } = useLingui();
  const id = useId();
  const asked = useStore(unproved);
  const who = useStore(me);
  const [password, setPassword] = useState("");
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => (setPassword(""), setFault("")), [asked]);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFault("");
    try {
      await prove(password);
    } catch (error) {
      const wrong = error instanceof ApiError && error.kind === "reauthenticate";
      setFault(wrong ? t`The password is wrong.` : error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal opened={asked && !!who} onClose={disprove} title={t`Your password, please`} size={420}>
      <form onSubmit={(event) => void submit(event)}>
        <p>
          <Trans>This is asked again for what matters most. You are asked no more for five minutes.</Trans>
        </p>
        <input type="text" autoComplete="username" value={who?.name ?? ""} readOnly hidden />
        <label htmlFor={id} className="asked">
          <Trans>Password of {who?.name}</Trans>
        </label>
        <input
          id={id}
          className="field asked"
          type="password"
          autoComplete="current-password"
          value={password}
          required
          data-autofocus
          aria-invalid={!!fault}
          aria-describedby={`${id}fault`}
          onChange={(event) => setPassword(event.target.value)}
        />
        <p id={`${id}fault`} className="error" role="alert">
          {fault}
        </p>
        <Button kind="primary" type="submit" busy={busy}>
          <Trans>Go on</Trans>
        </Button>
      </form>
    </Modal>
  );
}
