/** Setting up a new server: the code, the steps that the server declares, a review in words, and the writing. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useState } from "react";
import { LANGUAGES, type Language, speak } from "@/app/language.ts";
import { Logo } from "@/app/Logo.tsx";
import { switchTheme } from "@/app/preferences.ts";
import { IconButton } from "@/parts/base/Button.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { complete, type Tree } from "./answers.ts";
import { admitted, type Step, steps as asked } from "./api.ts";
import { Applying } from "./Applying.tsx";
import { CodeForm } from "./CodeForm.tsx";
import { ReviewStep } from "./ReviewStep.tsx";
import { StepForm } from "./StepForm.tsx";
import css from "./Wizard.module.css";

export default function WizardScreen() {
  const { t, i18n } = useLingui();
  const [open, setOpen] = useState<boolean | null>(null);
  const [trouble, setTrouble] = useState<unknown>(null);

  useEffect(() => {
    document.title = `${t`Set up`} · Whimbrel`;
    admitted().then(setOpen, setTrouble);
  }, [t]);

  return (
    <div className={css.page}>
      <header className={css.head}>
        <Logo />
        <h1>
          <Trans>Set up Whimbrel</Trans>
        </h1>
        <span className="muted">{location.hostname}</span>
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
      </header>
      {trouble !== null && <Failure what={t`The server does not answer`} error={trouble} />}
      {open === false && <CodeForm onDone={() => setOpen(true)} />}
      {open && <Steps />}
    </div>
  );
}

/** Back never loses input: the answers are kept here until they are applied. */
function Steps() {
  const { t } = useLingui();
  const [steps, setSteps] = useState<readonly Step[]>([]);
  const [answers, setAnswers] = useState<Tree>({});
  const [at, setAt] = useState(0);
  const [far, setFar] = useState(0);
  const [applying, setApplying] = useState(false);
  const [trouble, setTrouble] = useState<unknown>(null);

  // What is proposed in a step follows from the answers before it.
  useEffect(() => {
    asked(answers).then(setSteps, setTrouble);
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- not while one types
  }, [at]);

  const go = (to: number) => {
    setAt(to);
    setFar((before) => Math.max(before, to));
  };
  const whole = complete(answers, steps);
  const step = steps[at];
  const titles = [...steps.map((each) => each.title), t`Review`];

  if (trouble !== null)
    return <Failure what={t`The steps cannot be shown`} error={trouble} retry={() => location.reload()} />;
  if (!steps.length) return null;
  if (applying) return <Applying answers={whole} onBack={() => setApplying(false)} />;
  return (
    <div className={css.columns}>
      <nav aria-label={t`Steps`} className={css.steps}>
        <ol>
          {titles.map((title, number) => (
            <li key={title} aria-current={number === at ? "step" : undefined}>
              <button type="button" disabled={number > far} onClick={() => go(number)}>
                {title}
              </button>
            </li>
          ))}
        </ol>
      </nav>
      <main className={css.main}>
        <p className="muted">
          <Trans>
            Step {at + 1} of {titles.length}
          </Trans>
        </p>
        {step ? (
          <StepForm
            key={step.name}
            step={step}
            answers={answers}
            whole={whole}
            onChange={setAnswers}
            onBack={at ? () => go(at - 1) : undefined}
            onNext={() => go(at + 1)}
          />
        ) : (
          <ReviewStep
            answers={whole}
            onConfirm={(words) => setAnswers({ ...answers, confirm: words })}
            onBack={() => go(at - 1)}
            onApply={() => setApplying(true)}
          />
        )}
      </main>
    </div>
  );
}
