/** Around every screen: navigation, bars that say what everybody must know, dialogs, toasts. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Outlet } from "@tanstack/react-router";
import { useEffect } from "react";
import { expired, me, proving } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { useLater } from "@/parts/base/advance.ts";
import { Bars } from "./Bars.tsx";
import { Navigation } from "./nav/Navigation.tsx";
import { PhoneBar } from "./nav/PhoneBar.tsx";
import { onPress, palette } from "./palette/state.ts";
import { sidebar } from "./preferences.ts";
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
      <OnTop />
      <Toasts />
    </div>
  );
}

const dialogs = () => import("./Dialogs.tsx");

/** The dialogs; their code is no part of what the first screen waits for. */
function OnTop() {
  const wanted = [useStore(palette).open, useStore(expired), useStore(proving)].some(Boolean);
  const shown = useLater(dialogs, wanted, {});
  useEffect(() => {
    addEventListener("keydown", onPress);
    return () => removeEventListener("keydown", onPress);
  }, []);
  return shown;
}
