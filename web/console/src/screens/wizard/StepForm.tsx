/** One step: its fields, and what the server finds while one answers. */
import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { Button } from "@/parts/base/Button.tsx";
import { given, put, shown, type Tree, valueOf } from "./answers.ts";
import { type Checked, check, type Finding, type Step } from "./api.ts";
import { FieldInput } from "./FieldInput.tsx";
import { Findings } from "./Findings.tsx";
import css from "./Wizard.module.css";

/** Milliseconds of rest after which what was typed is looked at. */
const REST = 700;

interface Props {
  step: Step;
  answers: Tree;
  /** With what was proposed. */
  whole: Tree;
  /** Fields that have an answer which the server keeps and does not show. */
  withheld: readonly string[];
  onChange: (answers: Tree) => void;
  onBack: (() => void) | undefined;
  onNext: () => void;
}

export function StepForm({ step, answers, whole, withheld, onChange, onBack, onNext }: Props) {
  const { t, i18n } = useLingui();
  const [checked, setChecked] = useState<Checked | null>(null);
  const [tried, setTried] = useState<readonly Finding[]>([]);
  const [insists, setInsists] = useState(false);
  const [busy, setBusy] = useState("");
  const [failed, setFailed] = useState("");
  const form = useRef<HTMLFormElement>(null);
  const sent = JSON.stringify(whole);

  useEffect(() => {
    const ended = new AbortController();
    const look = () => check(step.name, JSON.parse(sent) as Tree, "", ended.signal).then(setChecked, () => undefined);
    const timer = setTimeout(() => void look(), REST);
    return () => {
      clearTimeout(timer);
      ended.abort();
    };
  }, [step.name, sent, i18n.locale]);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy("next");
    setFailed("");
    try {
      const now = await check(step.name, whole);
      setChecked(now);
      setInsists(true);
      if (!now.faults.length) onNext();
      else form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
    } catch (error) {
      setFailed(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy("");
    }
  };
  const attempt = async (name: string) => {
    setBusy(name);
    try {
      setTried((await check(step.name, whole, name)).checks.flatMap((each) => each.findings));
    } catch (error) {
      setFailed(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy("");
    }
  };
  const take = (finding: Finding) => {
    if (!finding.offer) return;
    const [field = ""] = finding.field.split(".");
    onChange(put(answers, field, { ...(answers[field] as Tree | undefined), ...finding.offer }));
  };
  const faultOf = (name: string) =>
    checked?.faults.filter((each) => each.name === name || each.name.startsWith(`${name}.`)).map((each) => each.text) ??
    [];
  const fields = step.fields.filter((each) => shown(each, step.fields, answers));
  const demanded = fields.some((each) => each.shown_if) ? step.checks.filter((each) => each.on_demand) : [];

  return (
    <form ref={form} className={css.form} onSubmit={(event) => void submit(event)} noValidate>
      <h2>{step.title}</h2>
      <p className="muted">{step.help}</p>
      {fields.map((field) => (
        <FieldInput
          key={field.name}
          field={field}
          value={valueOf(answers, field)}
          kept={withheld.includes(field.name) && given(answers, field.name) === undefined}
          faults={insists ? faultOf(field.name) : []}
          onChange={(value) => onChange(put(answers, field.name, value))}
        />
      ))}
      {demanded.map((each) => (
        <div key={each.name}>
          <Button busy={busy === each.name} onClick={() => void attempt(each.name)}>
            <Trans>Try it: {each.title}</Trans>
          </Button>
        </div>
      ))}
      <Findings findings={[...(checked?.checks.flatMap((each) => each.findings) ?? []), ...tried]} onTake={take} />
      <p className="error" role="alert">
        {failed}
      </p>
      <div className={css.buttons}>
        {onBack && (
          <Button onClick={onBack}>
            <Trans>Back</Trans>
          </Button>
        )}
        <Button kind="primary" type="submit" busy={busy === "next"}>
          {t`Next`}
        </Button>
      </div>
    </form>
  );
}
