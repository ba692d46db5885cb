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

export function Applying({ answers, onBack }: { answers: Tree; onBack: () => void }) {
  const { t } = useLingui();
  const [lines, setLines] = useState<readonly string[]>([]);
  const [done, setDone] = useState<Done | null>(null);
  const [ready, setReady] = useState(false);
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

  useEffect(() => {
    if (!done || ready || !here) return undefined;
    const look = async () => {
      const response = await fetch("/healthz", { cache: "no-store" });
      if (response.ok && !(await response.text()).includes("not set up")) setReady(true);
    };
    const timer = setInterval(() => void look().catch(() => undefined), AGAIN);
    return () => clearInterval(timer);
  }, [done, ready, here]);

  if (trouble !== null && !done) return <Failure what={t`The server was not set up`} error={trouble} retry={onBack} />;
  return (
    <main className={`${css.main} ${css.form}`}>
      <h2>{done ? t`The server is set up` : t`Setting up`}</h2>
      <ol className={css.progress} aria-live="polite">
        {lines.map((line, at) => (
          <li key={line}>
            {(at + 1 < lines.length || ready || !here) && <Icon name="check" />} {line}
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
          <p className="muted">
            <Trans>The server may show another certificate now; the browser then asks once more.</Trans>
          </p>
          {!here && (
            <p>
              <Trans>
                The console has an address of its own from now on: <a href={address}>{address}</a>
              </Trans>
            </p>
          )}
          <div className={css.buttons}>
            <Button kind="primary" busy={here && !ready} onClick={() => location.assign(address)}>
              <Trans>Open the console</Trans>
            </Button>
            {here && !ready && <Button onClick={() => location.assign("/")}>{t`Open it now`}</Button>}
          </div>
        </>
      )}
    </main>
  );
}
