/** Setting up a new server: the code, the steps that the server declares, a review in words, and the writing. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useRef, useState } from "react";
import { LANGUAGES, type Language, speak } from "@/app/language.ts";
import { Logo } from "@/app/Logo.tsx";
import { switchTheme } from "@/app/preferences.ts";
import { Button, IconButton } from "@/parts/base/Button.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { complete } from "./answers.ts";
import { gate, type Step, state, steps as asked } from "./api.ts";
import { Applying } from "./Applying.tsx";
import { CodeForm } from "./CodeForm.tsx";
import { ReviewStep } from "./ReviewStep.tsx";
import { StepForm } from "./StepForm.tsx";
import { useDraft } from "./useDraft.ts";
import css from "./Wizard.module.css";

export default function WizardScreen() {
  const { t, i18n } = useLingui();
  const [open, setOpen] = useState<boolean | null>(null);
  /** Somebody has pressed the last button, here before a reload or in another browser. */
  const [under, setUnder] = useState(false);
  /** The session is over; what was asked goes on once the code is given again. */
  const [again, setAgain] = useState(false);
  const waiting = useRef<(() => void)[]>([]);
  const [trouble, setTrouble] = useState<unknown>(null);

  useEffect(() => {
    document.title = `${t`Set up`} · Whimbrel`;
    gate.askCode = () =>
      new Promise((resolve) => {
        waiting.current.push(resolve);
        setAgain(true);
      });
    const begin = async () => {
      const { state: now, signed_in } = await state();
      setUnder(now !== "open");
      setOpen(signed_in);
    };
    begin().catch(setTrouble);
  }, [t]);

  const entered = async () => {
    setUnder((await state()).state !== "open");
    setOpen(true);
    setAgain(false);
    for (const goOn of waiting.current.splice(0)) goOn();
  };

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
      {(open === false || again) && <CodeForm onDone={() => void entered().catch(setTrouble)} />}
      {open && (
        <div hidden={again}>
          <Steps under={under} />
        </div>
      )}
    </div>
  );
}

/** Back never loses input, nor does a reload: the answers are kept until they are applied. */
function Steps({ under }: { under: boolean }) {
  const { t, i18n } = useLingui();
  const [steps, setSteps] = useState<readonly Step[]>([]);
  const [at, setAt] = useState(0);
  const [far, setFar] = useState(0);
  const [reached, setReached] = useState("");
  const [applying, setApplying] = useState(under);
  const [trouble, setTrouble] = useState<unknown>(null);
  // The review is kept as the last step: it has nothing that could be lost.
  const name = steps[Math.min(at, steps.length - 1)]?.name ?? "";
  const { answers, withheld, change, conflict, takeTheirs, keepMine } = useDraft(name, setReached, setTrouble);

  useEffect(() => {
    const number = steps.findIndex((each) => each.name === reached);
    if (number <= 0) return;
    setAt(number);
    setFar((before) => Math.max(before, number));
    setReached("");
  }, [steps, reached]);

  // Whoever wants the server to write German wants to read it from here on.
  const { language } = answers;
  useEffect(() => {
    if (typeof language === "string" && language in LANGUAGES) void speak(language as Language, true);
  }, [language]);

  // What is proposed in a step follows from the answers before it.
  useEffect(() => {
    if (!applying) asked(answers).then(setSteps, setTrouble);
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- not while one types
  }, [at, applying, i18n.locale]);

  const go = (to: number) => {
    setAt(to);
    setFar((before) => Math.max(before, to));
  };
  const whole = complete(answers, steps);
  const step = steps[at];
  const titles = [...steps.map((each) => each.title), t`Review`];

  if (trouble !== null)
    return <Failure what={t`The steps cannot be shown`} error={trouble} retry={() => location.reload()} />;
  if (applying) return <Applying answers={whole} onBack={() => setApplying(false)} />;
  if (!steps.length) return null;
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
        {conflict && (
          <div className={css.conflict} role="alert">
            <p>
              <Trans>These answers were changed in another browser.</Trans>
            </p>
            <Button small onClick={takeTheirs}>
              <Trans>Take those</Trans>
            </Button>
            <Button small onClick={keepMine}>
              <Trans>Keep these</Trans>
            </Button>
          </div>
        )}
        {step ? (
          <StepForm
            key={step.name}
            step={step}
            answers={answers}
            whole={whole}
            withheld={withheld}
            onChange={change}
            onBack={at ? () => go(at - 1) : undefined}
            onNext={() => go(at + 1)}
          />
        ) : (
          <ReviewStep
            answers={whole}
            onConfirm={(words) => change({ ...answers, confirm: words })}
            onBack={() => go(at - 1)}
            onApply={() => setApplying(true)}
          />
        )}
      </main>
    </div>
  );
}
