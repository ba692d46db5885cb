/** What is being done, then how to go on. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useRef, useState } from "react";
import { Button } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import type { Tree } from "./answers.ts";
import { apply, type Done } from "./api.ts";
import css from "./Wizard.module.css";

/** Milliseconds between two looks whether the server itself answers. */
const AGAIN = 1000;
/** Looks without an answer after which the browser goes on: a page cannot see past a certificate that is new to it. */
const BLIND = 8;
/** Looks after which a server that still says that it is not set up is taken to fail. */
const LATE = 45;

/** `starting`: nothing is known yet; `blind`: nothing answers, or with a certificate that must be accepted first. */
type Server = "starting" | "ready" | "blind" | "late";

export function Applying({ answers, onBack }: { answers: Tree; onBack: () => void }) {
  const { t } = useLingui();
  const [lines, setLines] = useState<readonly string[]>([]);
  const [done, setDone] = useState<Done | null>(null);
  const [server, setServer] = useState<Server>("starting");
  const [trouble, setTrouble] = useState<unknown>(null);
  const begun = useRef(false);

  useEffect(() => {
    if (begun.current) return; // In development effects run twice.
    begun.current = true;
    const run = async () => {
      for await (const { progress, done: end } of apply(answers)) {
        if (progress) setLines((before) => [...before, progress]);
        if (end) setDone(end);
      }
    };
    run().catch(setTrouble);
  }, [answers]);

  // Another port is another origin, which this page may not ask: only a person can go there.
  const here = !done || done.console === Number(location.port || 443);
  const address = done && !here ? `https://${location.hostname}:${done.console}/` : "/";
  const place = here ? location.origin : address;

  useEffect(() => {
    if (!done || server === "ready") return undefined;
    let looks = 0;
    const look = async () => {
      looks += 1;
      if (here) {
        const response = await fetch("/healthz", { cache: "no-store" }).catch(() => null);
        if (response?.ok && !(await response.text()).includes("not set up")) setServer("ready");
        else if (response && looks >= LATE) setServer("late");
        else if (!response && looks >= BLIND) setServer("blind");
      } else if (looks >= BLIND) setServer("blind");
    };
    const timer = setInterval(() => void look(), AGAIN);
    return () => clearInterval(timer);
  }, [done, server, here]);

  // By itself, unless something is shown that nobody sees again.
  const stays = !done || done.made.length > 0 || done.warnings.length > 0;
  const goes = !stays && (server === "ready" || server === "blind");
  useEffect(() => {
    if (goes) location.assign(address);
  }, [goes, address]);

  if (trouble !== null && !done) return <Failure what={t`The server was not set up`} error={trouble} retry={onBack} />;
  return (
    <main className={`${css.main} ${css.form}`}>
      <h2>{done ? t`The server is set up` : t`Setting up`}</h2>
      <ol className={css.progress} aria-live="polite">
        {lines.map((line, at) => (
          <li key={line}>
            {(at + 1 < lines.length || server === "ready") && <Icon name="check" />} {line}
          </li>
        ))}
      </ol>
      {done && (
        <>
          <p>
            <Trans>
              Sign in as <b>{done.administrator}</b>.
            </Trans>
          </p>
          {done.made.length > 0 && (
            <table className={css.made}>
              <caption>
                <Trans>These passwords are shown this once.</Trans>
              </caption>
              <tbody>
                {done.made.map(({ user, password }) => (
                  <tr key={user}>
                    <th scope="row">{user}</th>
                    <td>
                      <code>{password}</code>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
          {done.warnings.map((warning) => (
            <p key={warning} className="error" role="alert">
              {warning}
            </p>
          ))}
          <p className="muted">
            <Trans>
              The console goes on at <a href={address}>{place}</a>. The server may show another certificate now; the
              browser then asks once more.
            </Trans>
          </p>
          {(server === "blind" || server === "late") && (
            <p role="alert">
              {server === "late" ? (
                <Trans>
                  The server has not started yet. What is set up is whole and stays: look at what <code>serve</code>{" "}
                  prints, or at its journal; a port that another program took is named there.
                </Trans>
              ) : (
                <Trans>
                  This page cannot see whether the server runs. If the console does not open,{" "}
                  <code>whimbrel status</code> on the server says why.
                </Trans>
              )}
            </p>
          )}
          <div className={css.buttons}>
            <Button kind="primary" busy={server === "starting"} onClick={() => location.assign(address)}>
              <Trans>Open the console</Trans>
            </Button>
            {server === "starting" && <Button onClick={() => location.assign(address)}>{t`Open it now`}</Button>}
          </div>
        </>
      )}
    </main>
  );
}
