/** What a tool said: as a table where that is one, else as a transcript. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { toast } from "@/api/operations.ts";
import { Button, IconButton } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { exactTime, shortTime } from "@/parts/base/Moment.tsx";
import { State } from "@/parts/base/State.tsx";
import { abort, askedOf, asText, forget, messageOf, problemsOf, type Run, type Step } from "./runs.ts";
import css from "./Tools.module.css";

/** Their rows say themselves what is wrong. */
const TABLES: ReadonlySet<string> = new Set(["dns", "ports"]);

export function Result({ run, again }: { run: Run; again: () => void }) {
  const { t } = useLingui();
  const asked = askedOf(run);
  const message = messageOf(run);
  const problems = problemsOf(run);
  const copy = async () => {
    await navigator.clipboard.writeText(asText(run)).catch(() => undefined);
    toast(t`Copied`);
  };
  return (
    <article className={css.run} aria-label={asked} aria-busy={run.state === "running"}>
      <header>
        <h2 className="ellipsis" title={asked}>
          {asked}
        </h2>
        <Ending run={run} problems={problems.length} />
        <time dateTime={run.at.toISOString()} title={exactTime(run.at)}>
          {shortTime(run.at)}
        </time>
        {run.state === "running" ? (
          <Button small icon="stop" onClick={() => abort(run.id)}>
            <Trans>Abort</Trans>
          </Button>
        ) : (
          <IconButton icon="redo" label={t`Again`} onClick={again} />
        )}
        <IconButton icon="copy" label={t`Copy as text`} onClick={() => void copy()} />
        <IconButton icon="close" label={t`Remove`} onClick={() => forget(run.id)} />
      </header>
      {run.state === "failed" && (
        <p className={`error ${css.problem}`} role="alert">
          <Icon name="error" />
          {run.error instanceof Error ? run.error.message : String(run.error)}
        </p>
      )}
      {!TABLES.has(run.tool) &&
        problems.map((problem) => (
          <p key={problem} className={`error ${css.problem}`}>
            <Icon name="error" />
            {problem}
          </p>
        ))}
      {run.steps.length > 0 &&
        (run.tool === "dns" ? (
          <Records steps={run.steps} />
        ) : run.tool === "ports" ? (
          <Ports steps={run.steps} />
        ) : (
          <Transcript steps={run.steps} />
        ))}
      {message && (
        <p className={css.foot}>
          <Link to="/trace" search={{ q: message } as never} className="link">
            <Trans>Trace this message</Trans>
          </Link>
        </p>
      )}
    </article>
  );
}

function Ending({ run, problems }: { run: Run; problems: number }) {
  const { t } = useLingui();
  if (run.state === "running")
    return (
      <State mood="info" icon="clock">
        {t`Running`}
      </State>
    );
  if (run.state === "aborted")
    return (
      <State mood="muted" icon="stop">
        {t`Aborted`}
      </State>
    );
  if (run.state === "failed") return <State mood="error">{t`Failed`}</State>;
  if (problems)
    return (
      <State mood="error">
        <Plural value={problems} one="# problem" other="# problems" />
      </State>
    );
  return <State mood="ok">{t`In order`}</State>;
}

function Transcript({ steps }: { steps: readonly Step[] }) {
  return (
    <ol className={css.transcript}>
      {steps.map((step, at) => (
        // oxlint-disable-next-line react/no-array-index-key -- steps have an order and nothing else
        <li key={at} data-kind={step.kind} data-wrong={step.problems.length > 0 || undefined}>
          <span>{step.seconds.toFixed(3)}</span>
          <code>{step.text}</code>
        </li>
      ))}
    </ol>
  );
}

function Records({ steps }: { steps: readonly Step[] }) {
  const { t } = useLingui();
  return (
    <div className={css.wrap}>
      <table className={css.table}>
        <thead>
          <tr>
            <th scope="col">{t`Type`}</th>
            <th scope="col">{t`Value`}</th>
            <th scope="col" data-align="end">{t`Seconds`}</th>
          </tr>
        </thead>
        <tbody>
          {steps.map((step, at) => {
            const { type = "", value } = step.facts;
            return (
              // oxlint-disable-next-line react/no-array-index-key -- as above
              <tr key={at}>
                <th scope="row">{type}</th>
                <td>
                  {value === undefined ? (
                    step.problems.length ? (
                      <span className="error">{step.text}</span>
                    ) : (
                      <span className="muted">{t`no records`}</span>
                    )
                  ) : (
                    <code>{value}</code>
                  )}
                </td>
                <td data-align="end">{step.seconds.toFixed(3)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function Ports({ steps }: { steps: readonly Step[] }) {
  const { t } = useLingui();
  return (
    <div className={css.wrap}>
      <table className={css.table}>
        <thead>
          <tr>
            <th scope="col">{t`Service`}</th>
            <th scope="col">{t`Address`}</th>
            <th scope="col">{t`State`}</th>
            <th scope="col">{t`Greeting`}</th>
            <th scope="col">{t`Held by`}</th>
          </tr>
        </thead>
        <tbody>
          {steps.map(({ facts, problems, text }) => (
            <tr key={`${facts.service} ${facts.address}`}>
              <th scope="row">{facts.service}</th>
              <td className={css.address}>
                <code>{facts.address}</code>
              </td>
              <td>
                {problems.length ? <State mood="error">{t`No answer`}</State> : <State mood="ok">{t`Answers`}</State>}
              </td>
              {problems.length ? (
                <td className="error">{text}</td>
              ) : (
                <td className={css.greeting}>
                  <code title={facts.greeting}>{facts.greeting ?? "–"}</code>
                </td>
              )}
              <td>{facts.holder || <span className="muted">{t`nobody`}</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
