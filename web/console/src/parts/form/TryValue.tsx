/** The button beside a value that can be tried before it is saved, and under it what came of it. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useRef, useState } from "react";
import { runStream } from "@/api/admin.ts";
import { Button } from "../base/Button.tsx";
import { Icon } from "../base/Icon.tsx";
import { useForm } from "./context.ts";
import type { Field } from "./fields.ts";
import { written } from "./review.ts";
import css from "./TryValue.module.css";

interface Step {
  readonly text: string;
  readonly problems: readonly string[];
}

interface Trial {
  readonly value: string;
  readonly steps: readonly Step[];
  readonly state: "running" | "done" | "failed";
  readonly error: string;
}

/** Steps of a long dialogue that are kept. */
const MOST = 200;

/** A secret is no value that others may see; unless it was typed anew, the one in use is tried. */
function given(field: Field, value: unknown, now: string) {
  if (field.schema["x-secret"]) return now === "" ? {} : { secret: now };
  return { value: Array.isArray(value) ? value : [now] };
}

export function TryValue({ field, value, wrong }: { field: Field; value: unknown; wrong: boolean }) {
  const { t } = useLingui();
  const form = useForm();
  const [trial, setTrial] = useState<Trial | null>(null);
  const running = useRef<AbortController | null>(null);
  const now = written(value);
  const hidden = field.schema["x-secret"] === true;
  useEffect(() => () => running.current?.abort(), []);
  useEffect(() => {
    // What was said of another value is no answer to this one.
    running.current?.abort();
    setTrial(null);
  }, [now]);

  const start = async () => {
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    const steps: Step[] = [];
    const show = (state: Trial["state"], error = "") => {
      if (!abort.signal.aborted) setTrial({ value: now, steps: [...steps], state, error });
    };
    show("running");
    try {
      const body = { path: field.path, ...given(field, value, now), beside: beside(field, form.edits) };
      for await (const step of runStream<Step>("config", "test", body, abort.signal)) {
        if (steps.length < MOST) steps.push(step);
        show("running");
      }
      show("done");
    } catch (error) {
      show("failed", error instanceof Error ? error.message : String(error));
    }
  };

  const problems = trial?.steps.flatMap((step) => step.problems) ?? [];
  const empty = now === "" && !(hidden && !(field.path in form.edits) && form.values[field.path]?.set);
  const because = wrong ? t`Correct the marked fields first` : empty ? t`There is no value to test` : undefined;
  return (
    <div className={css.trial}>
      {trial?.state === "running" ? (
        <Button small icon="stop" onClick={() => (running.current?.abort(), setTrial(null))}>
          <Trans>Stop the test</Trans>
        </Button>
      ) : (
        <Button small icon="play" disabledBecause={because} onClick={() => void start()}>
          {t`Test`}
        </Button>
      )}
      {trial && (
        <div className={css.said} role="status" aria-label={t`Result of the test of ${field.title}`}>
          {trial.state === "failed" ? (
            <p className="error">
              <Icon name="error" /> {trial.error}
            </p>
          ) : problems.length ? (
            problems.map((problem) => (
              <p key={problem} className="error">
                <Icon name="error" /> {problem}
              </p>
            ))
          ) : trial.state === "done" ? (
            <p className="ok">
              <Icon name="ok" /> {trial.steps.at(-1)?.text ?? t`Nothing is wrong with it.`}
            </p>
          ) : (
            <p className="muted">{trial.steps.at(-1)?.text ?? t`Testing...`}</p>
          )}
          {trial.steps.length > 1 && (
            <details>
              <summary>
                <Trans>All that was said</Trans>
              </summary>
              <pre>{trial.steps.map((step) => step.text).join("\n")}</pre>
            </details>
          )}
        </div>
      )}
    </div>
  );
}

/** Other settings of the same section as they would be: a relay host is called at the port that is typed beside it. */
export function beside(field: Field, edits: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(edits)
    .filter(
      ([path, value]) =>
        path !== field.path &&
        path.startsWith(field.base) &&
        !path.slice(field.base.length).includes("/") &&
        (typeof value === "string" || typeof value === "number" || typeof value === "boolean") &&
        !/password|secret|token|webhook/.test(path),
    )
    .map(([path, value]) => `${path}=${written(value)}`);
}
