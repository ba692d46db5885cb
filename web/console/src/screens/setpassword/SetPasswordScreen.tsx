/** The page of a link by which somebody sets the own password. Nobody is signed in here: the secret behind the # of the
 * address is all there is to show, and it is sent to this server alone, in the body of a request. */
import { Trans, useLingui } from "@lingui/react/macro";
import { ApiError } from "@shared/errors.ts";
import { type FormEvent, useEffect, useId, useState } from "react";
import { http } from "@/api/session.ts";
import { type Language, LANGUAGES, speak } from "@/app/language.ts";
import { Logo } from "@/app/Logo.tsx";
import { switchTheme } from "@/app/preferences.ts";
import { Button, IconButton } from "@/parts/base/Button.tsx";
import { exactTime } from "@/parts/base/Moment.tsx";
import { Verdict } from "@/parts/base/State.tsx";
import { faultsOf } from "@/parts/form/faults.ts";
import { type Service, waysIn } from "../users/access.ts";
import css from "./SetPassword.module.css";

interface Mailbox {
  readonly address: string;
  readonly hostname: string;
  readonly services: readonly Service[];
}

interface Open extends Mailbox {
  readonly full_name: string;
  readonly expires: string;
  readonly min_length: number;
}

const PATH = "/api/password-link";
const secret = () => location.hash.slice(1);

async function ask<T>(path: string, body: object): Promise<T> {
  return (await http.call<T>("POST", path, { body, alone: true })).result;
}

export default function SetPasswordScreen() {
  const { t, i18n } = useLingui();
  const [link, setLink] = useState(secret);
  const [open, setOpen] = useState<Open | null>(null);
  const [done, setDone] = useState<Mailbox | null>(null);
  const [failed, setFailed] = useState<unknown>(null);
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    document.title = `${t`Set your password`} · Whimbrel`;
  }, [t]);
  useEffect(() => {
    // Another link pasted into the same tab: the page stays, the part behind the # is another one.
    const changed = () => {
      if (!secret()) return;
      setDone(null);
      setOpen(null);
      setLink(secret());
    };
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  useEffect(() => {
    let gone = false;
    setFailed(null);
    ask<Open>(PATH, { link }).then(
      (answer) => gone || setOpen(answer),
      (error: unknown) => gone || setFailed(error),
    );
    return () => {
      gone = true;
    };
  }, [link, attempt]);
  const set = (mailbox: Mailbox) => {
    // What was used is nothing to keep in the address and in the history.
    history.replaceState(null, "", location.pathname);
    setDone(mailbox);
  };
  return (
    <main className={css.page}>
      <div className={css.box}>
        <header>
          <Logo />
          <div>
            <h1>
              <Trans>Set your password</Trans>
            </h1>
            <p className="muted">{(done ?? open)?.hostname ?? location.hostname}</p>
          </div>
        </header>
        {done ? (
          <Done mailbox={done} />
        ) : failed ? (
          <Void error={failed} retry={() => setAttempt(attempt + 1)} />
        ) : open ? (
          <Choice key={link} open={open} link={link} onSet={set} onVoid={setFailed} />
        ) : (
          <p className="muted" role="status">
            <Trans>Looking at the link</Trans>
          </p>
        )}
      </div>
      <footer className={css.foot}>
        <select
          aria-label={t`Language`}
          value={i18n.locale}
          onChange={(event) => void speak(event.target.value as Language, true)}
        >
          {Object.entries(LANGUAGES).map(([tag, name]) => (
            <option key={tag} value={tag}>
              {name}
            </option>
          ))}
        </select>
        <IconButton icon="moon" label={t`Switch light and dark`} onClick={switchTheme} />
      </footer>
    </main>
  );
}

interface ChoiceProps {
  open: Open;
  link: string;
  onSet: (mailbox: Mailbox) => void;
  onVoid: (error: unknown) => void;
}

function Choice({ open, link, onSet, onVoid }: ChoiceProps) {
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
    if (because || busy) return;
    setBusy(true);
    setFault("");
    try {
      onSet(await ask<Mailbox>(`${PATH}/set`, { link, password }));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) onVoid(error);
      else setFault(Object.values(faultsOf(error, [{ name: "password" }])).join(" "));
    } finally {
      setBusy(false);
    }
  };
  const expires = exactTime(new Date(open.expires));
  return (
    <form className={css.form} onSubmit={(event) => void submit(event)}>
      <p>
        {open.full_name && (
          <>
            {open.full_name}
            <br />
          </>
        )}
        <strong>{open.address}</strong>
      </p>
      {/* For password managers: whose password it is. */}
      <input type="text" autoComplete="username" value={open.address} readOnly hidden />
      <label htmlFor={`${id}new`}>
        <Trans>New password</Trans>
      </label>
      <div className={css.line}>
        <input
          id={`${id}new`}
          className="field"
          type={shown ? "text" : "password"}
          autoComplete="new-password"
          value={password}
          autoFocus
          required
          aria-invalid={!!fault}
          aria-describedby={`${id}fault ${id}hint`}
          onChange={(event) => setPassword(event.target.value)}
        />
        <IconButton
          icon="eye"
          label={shown ? t`Hide the password` : t`Show the password`}
          aria-pressed={shown}
          onClick={() => setShown(!shown)}
        />
      </div>
      <p id={`${id}hint`} className="muted">
        <Trans>At least {open.min_length} characters; several words are easy to remember.</Trans>
      </p>
      {!shown && (
        <>
          <label htmlFor={`${id}again`}>
            <Trans>The same password once more</Trans>
          </label>
          <input
            id={`${id}again`}
            className="field"
            type="password"
            autoComplete="new-password"
            value={again}
            aria-invalid={again !== "" && again !== password}
            onChange={(event) => setAgain(event.target.value)}
          />
        </>
      )}
      <p id={`${id}fault`} className={`error ${css.fault}`} role="alert">
        {fault}
      </p>
      <Button kind="primary" type="submit" busy={busy} disabledBecause={because}>
        <Trans>Set password</Trans>
      </Button>
      <p className="muted">
        <Trans>This link can be used once, until {expires}.</Trans>
      </p>
    </form>
  );
}

function Void({ error, retry }: { error: unknown; retry: () => void }) {
  const { t } = useLingui();
  const gone = error instanceof ApiError && (error.status === 404 || error.status === 400);
  return (
    <div role="alert">
      {gone ? (
        <Verdict mood="warn" title={t`This link opens nothing`}>
          <p>
            <Trans>
              It was used already, has run out, was revoked, or is not complete. Ask who sent it for a new one. If the
              password was set by somebody else, say so at once.
            </Trans>
          </p>
        </Verdict>
      ) : (
        <>
          <Verdict mood="error" title={t`The link could not be looked at`}>
            <p>{error instanceof Error ? error.message : String(error)}</p>
          </Verdict>
          <Button onClick={retry}>
            <Trans>Try again</Trans>
          </Button>
        </>
      )}
    </div>
  );
}

function Done({ mailbox }: { mailbox: Mailbox }) {
  const { t } = useLingui();
  const { address } = mailbox;
  return (
    <div role="status">
      <Verdict mood="ok" title={t`The password is set`}>
        <p>
          <Trans>Your mail program asks for these:</Trans>
        </p>
      </Verdict>
      <dl className={css.facts}>
        <dt>
          <Trans>User name</Trans>
        </dt>
        <dd>{address}</dd>
        <dt>
          <Trans>Server</Trans>
        </dt>
        <dd>{mailbox.hostname}</dd>
        {waysIn(mailbox.services).map((way) => [
          <dt key="name">{way.protocol}</dt>,
          <dd key="way">
            {way.port}, {way.implicit ? t`with TLS` : t`with STARTTLS`}
          </dd>,
        ])}
      </dl>
      <p className="muted">
        <Trans>Whoever was signed in with a former password has been signed out. You can close this page.</Trans>
      </p>
    </div>
  );
}
