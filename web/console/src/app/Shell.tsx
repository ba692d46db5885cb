/** Around every screen: navigation, bars that say what everybody must know, dialogs, toasts. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Outlet } from "@tanstack/react-router";
import { me } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Bars } from "./Bars.tsx";
import { Navigation } from "./nav/Navigation.tsx";
import { PhoneBar } from "./nav/PhoneBar.tsx";
import { Palette } from "./palette/Palette.tsx";
import { sidebar } from "./preferences.ts";
import { Expired } from "./Expired.tsx";
import { Proof } from "./Proof.tsx";
import css from "./Shell.module.css";
import { SignIn } from "./SignIn.tsx";
import { Toasts } from "./Toasts.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { trouble } from "./start.ts";

export function Shell() {
  const { t } = useLingui();
  const who = useStore(me);
  const wide = useStore(sidebar) === "wide";
  const failed = useStore(trouble);
  if (failed && who === undefined) {
    return (
      <main className={css.alone}>
        <Failure what={t`The server does not answer.`} error={failed} retry={() => location.reload()} />
      </main>
    );
  }
  if (who === undefined) return null;
  if (who === null) return <SignIn />;
  return (
    <div className={css.shell} data-narrow={!wide || undefined}>
      <a className={css.skip} href="#screen">
        <Trans>Skip to the screen</Trans>
      </a>
      <Navigation />
      <main className={css.screen} id="screen" tabIndex={-1}>
        <Bars />
        <Outlet />
      </main>
      <PhoneBar />
      <Palette />
      <Expired />
      <Proof />
      <Toasts />
    </div>
  );
}
