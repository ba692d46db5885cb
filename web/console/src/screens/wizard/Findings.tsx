/** What the server found, in colour, sign and words; a better answer is one press away. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Button } from "@/parts/base/Button.tsx";
import { State } from "@/parts/base/State.tsx";
import type { Finding } from "./api.ts";
import css from "./Wizard.module.css";

export function Findings({ findings, onTake }: { findings: readonly Finding[]; onTake: (finding: Finding) => void }) {
  const { t } = useLingui();
  const words = { ok: t`Good`, unknown: t`Not known`, warning: t`Look here`, error: t`Wrong` };
  return (
    <ul className={css.findings} aria-live="polite">
      {findings.map((each) => (
        <li key={each.text}>
          {each.level === "ok" && (
            <State mood="ok" icon="check">
              {words.ok}
            </State>
          )}
          {each.level === "unknown" && (
            <State mood="muted" icon="info">
              {words.unknown}
            </State>
          )}
          {each.level === "warning" && (
            <State mood="warn" icon="warn">
              {words.warning}
            </State>
          )}
          {each.level === "error" && (
            <State mood="error" icon="error">
              {words.error}
            </State>
          )}
          <div>
            <p>{each.text}</p>
            {each.advice && <p className="muted">{each.advice}</p>}
            {each.lines.length > 0 && (
              <details>
                <summary>
                  <Trans>What was said</Trans>
                </summary>
                <pre>{each.lines.join("\n")}</pre>
              </details>
            )}
            {each.offer && (
              <Button small onClick={() => onTake(each)}>
                <Trans>Use the other port</Trans>
              </Button>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}
