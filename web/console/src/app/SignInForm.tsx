/** Name and password: on the sign-in screen, and in the dialog when a session ended. Other ways (passkey, second factor,
 * single sign-on) get a place below the button. */
import { Trans, useLingui } from "@lingui/react/macro";
import { ApiError } from "@shared/errors.ts";
import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { signIn } from "@/api/session.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import css from "./SignIn.module.css";

interface Props {
  /** Who it is; nothing: is asked. */
  name?: string;
  onDone?: () => void;
  /** What else is done with name and password than signing in, and the word for it. */
  act?: (name: string, password: string) => Promise<unknown>;
  verb?: ReactNode;
}

export function SignInForm({ name: fixed, onDone, act = signIn, verb }: Props) {
  const { t } = useLingui();
  const [name, setName] = useState(fixed ?? "");
  const [password, setPassword] = useState("");
  const [shown, setShown] = useState(false);
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState("");
  const [wait, setWait] = useState(0);
  const secret = useRef<HTMLInputElement>(null);
  const id = useId();

  useEffect(() => {
    if (!wait) return undefined;
    const timer = setTimeout(() => setWait(wait - 1), 1000);
    return () => clearTimeout(timer);
  }, [wait]);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setFault("");
    try {
      await act(name, password);
      onDone?.();
    } catch (error) {
      setFault(said(error));
      setWait(error instanceof ApiError ? Math.ceil(error.retryAfter) : 0);
      secret.current?.select();
    } finally {
      setBusy(false);
    }
  };

  const said = (error: unknown): string => {
    if (!(error instanceof ApiError)) return String(error);
    if (error.kind === "reauthenticate") return t`The password is wrong.`;
    if (error.status === 401) return t`The name or the password is wrong.`;
    if (error.status === 429) return t`Too many wrong passwords; signing in is locked for a while.`;
    return error.message;
  };

  return (
    <form className={css.form} onSubmit={(event) => void submit(event)}>
      <label htmlFor={`${id}name`}>
        <Trans>Name</Trans>
      </label>
      <input
        id={`${id}name`}
        className={css.input}
        value={name}
        readOnly={fixed !== undefined}
        onChange={(event) => setName(event.target.value)}
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
        autoFocus={fixed === undefined}
      />
      <label htmlFor={`${id}password`}>
        <Trans>Password</Trans>
      </label>
      <span className={css.secret}>
        <input
          id={`${id}password`}
          ref={secret}
          className={css.input}
          type={shown ? "text" : "password"}
          value={password}
          onChange={(event) => setPassword(event.target.value)}
          autoComplete="current-password"
          data-autofocus={fixed !== undefined || undefined}
          required
          aria-invalid={!!fault}
          aria-describedby={fault ? `${id}fault` : undefined}
          autoFocus={fixed !== undefined}
        />
        <button
          type="button"
          aria-label={shown ? t`Hide the password` : t`Show the password`}
          aria-pressed={shown}
          onClick={() => setShown(!shown)}
        >
          <Icon name="eye" />
        </button>
      </span>
      <p id={`${id}fault`} className={`error ${css.fault}`} role="alert">
        {fault} {wait > 0 && <Trans>Try again in {wait} s.</Trans>}
      </p>
      <Button
        kind="primary"
        type="submit"
        busy={busy}
        className={css.wide}
        disabledBecause={wait > 0 ? t`Locked for another ${wait} s` : undefined}
      >
        {verb ?? <Trans>Sign in</Trans>}
      </Button>
    </form>
  );
}
