/** What the server found, in colour, sign and words; a better answer is one press away. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Button } from "@/parts/base/Button.tsx";
import { State } from "@/parts/base/State.tsx";
import type { Finding } from "./api.ts";
import css from "./Wizard.module.css";

/** The service whose port is held; the console is left on, or nobody could come back. */
const serviceOf = (finding: Finding) => {
  const name = /^services\.(.+)$/.exec(finding.field)?.[1] ?? "";
  return name === "console" ? "" : name;
};

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
            {serviceOf(each) && (
              <Button small onClick={() => onTake({ ...each, offer: { [serviceOf(each)]: { enabled: false } } })}>
                <Trans>Leave it off</Trans>
              </Button>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}
