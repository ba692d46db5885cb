/** How a user signs in: state, password, rights. */
import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useId, useState } from "react";
import { run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { Button, IconButton } from "@/parts/base/Button.tsx";
import { exactTime, Moment } from "@/parts/base/Moment.tsx";
import { Verdict } from "@/parts/base/State.tsx";
import { Facts } from "@/parts/drawer/Drawer.tsx";
import css from "./Access.module.css";
import { generated } from "./password.ts";
import { PasswordLink } from "./PasswordLink.tsx";
import { SignIns } from "./SignIns.tsx";
import type { UserView } from "./user.ts";

interface Props {
  user: UserView;
  version: string;
  readOnly: string;
  onChanged: () => void;
}

export function Access({ user, version, readOnly, onChanged }: Props) {
  const { t } = useLingui();
  const last = user.last_sign_in;
  const calm =
    user.enabled === false ? (
      <Verdict mood="muted" title={t`Sign-in is off`}>
        <p>
          <Trans>Mail to this address is refused as well (550 5.2.1).</Trans>
        </p>
      </Verdict>
    ) : user.has_password === false ? (
      <Verdict mood="warn" title={t`There is no password, so nobody can sign in`} />
    ) : last ? (
      <Verdict mood="ok" title={t`Can sign in`}>
        <p>
          <Trans>
            Last on {exactTime(new Date(last))} by {user.last_service || t`an unknown service`} from{" "}
            {user.last_address || t`an unknown address`}.
          </Trans>
        </p>
      </Verdict>
    ) : (
      <Verdict mood="info" icon="mail" title={t`Has not signed in yet`} />
    );
  return (
    <>
      <SignIns user={user} readOnly={readOnly} calm={calm}>
        <Facts
          facts={[
            [t`Signs in as`, user.address],
            [t`Last sign-in`, <Moment key="at" at={last} />],
          ]}
        />
      </SignIns>
      {!readOnly && <PasswordLink user={user} onChanged={onChanged} />}
      {!readOnly && <Password user={user} version={version} onChanged={onChanged} />}
      <Rights {...{ user, readOnly, version, onChanged }} />
    </>
  );
}

function Password({ user, onChanged }: Omit<Props, "readOnly">) {
  const { t } = useLingui();
  const id = useId();
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [shown, setShown] = useState(false);
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  // What can be read needs not be typed twice.
  const because = !password
    ? t`Type a password first`
    : !shown && again !== password
      ? t`Type it once more: the two are not the same`
      : undefined;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (because) return;
    setBusy(true);
    setFault("");
    try {
      await run("user", "password", { name: user.address, password });
      setPassword("");
      setAgain("");
      setShown(false);
      toast(t`The password of ${user.address} is set`);
      onChanged();
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form className={css.form} onSubmit={(event) => void submit(event)}>
      <h3>
        <label htmlFor={id}>
          <Trans>New password</Trans>
        </label>
      </h3>
      <div>
        <input
          id={id}
          className="field"
          type={shown ? "text" : "password"}
          autoComplete="new-password"
          value={password}
          aria-invalid={!!fault}
          aria-describedby={`${id}fault`}
          onChange={(event) => setPassword(event.target.value)}
        />
        <Button onClick={() => (setPassword(generated()), setShown(true))}>
          <Trans>Generate</Trans>
        </Button>
        <IconButton
          icon="eye"
          label={shown ? t`Hide the password` : t`Show the password`}
          aria-pressed={shown}
          onClick={() => setShown(!shown)}
        />
      </div>
      {!shown && password !== "" && (
        <div>
          <input
            className="field"
            type="password"
            aria-label={t`The same password once more`}
            placeholder={t`The same once more`}
            autoComplete="new-password"
            value={again}
            aria-invalid={again !== "" && again !== password}
            onChange={(event) => setAgain(event.target.value)}
          />
        </div>
      )}
      <div>
        <Button type="submit" busy={busy} disabledBecause={because}>
          <Trans>Set password</Trans>
        </Button>
      </div>
      <p id={`${id}fault`} className="error" role="alert">
        {fault}
      </p>
      <p className="muted">
        <Trans>Sessions that are signed in with the old one end.</Trans>
      </p>
    </form>
  );
}

function Rights({ user, readOnly, onChanged }: Props) {
  const { t } = useLingui();
  const [fault, setFault] = useState("");
  const rights = user.rights ?? "none";
  const words: Record<string, string> = {
    none: t`None: only the own mailbox`,
    domain: t`The own domain`,
    "server-read": t`The whole server, to look at`,
    "server-write": t`The whole server`,
  };
  const set = async (value: string) => {
    setFault("");
    try {
      await run("user", "rights", { name: user.address, rights: value });
      toast(t`The rights of ${user.address} are set`);
      onChanged();
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <div className={css.form}>
      <h3>
        <Trans>May administer</Trans>
      </h3>
      <select
        className="select"
        aria-label={t`May administer`}
        value={rights}
        disabled={!!readOnly}
        onChange={(event) => void set(event.target.value)}
      >
        {Object.entries(words).map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
      </select>
      <p className="error" role="alert">
        {fault}
      </p>
      {(user.grants?.length ?? 0) > 0 && <p className="muted">{user.grants?.join(", ")}</p>}
    </div>
  );
}
