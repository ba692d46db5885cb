import { Trans, useLingui } from "@lingui/react/macro";
import { useEffect } from "react";
import { IconButton } from "@/parts/base/Button.tsx";
import { LANGUAGES, type Language, speak } from "./language.ts";
import { Logo } from "./Logo.tsx";
import { switchTheme } from "./preferences.ts";
import css from "./SignIn.module.css";
import { SignInForm } from "./SignInForm.tsx";

/** The address stays as it is: after signing in one is where one wanted to go. */
export function SignIn() {
  const { t, i18n } = useLingui();
  useEffect(() => {
    document.title = `${t`Sign in`} · Whimbrel`;
  }, [t]);
  return (
    <main className={css.page}>
      <div className={css.box}>
        <header>
          <Logo />
          <div>
            <h1>Whimbrel</h1>
            <p className="muted">{location.hostname}</p>
          </div>
        </header>
        <SignInForm />
        <p className={`muted ${css.help}`}>
          <Trans>
            For administrators. Forgotten? On the server, <code>whimbrel user password NAME</code> sets a new password.
          </Trans>
        </p>
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
