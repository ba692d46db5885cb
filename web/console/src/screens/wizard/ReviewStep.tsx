/** Everything in words, before anything is written. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useState } from "react";
import { Button } from "@/parts/base/Button.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { ConfirmWords } from "@/parts/form/ConfirmWords.tsx";
import type { Tree } from "./answers.ts";
import { type Reviewed, review } from "./api.ts";
import css from "./Wizard.module.css";

interface Props {
  answers: Tree;
  onConfirm: (words: string) => void;
  onBack: () => void;
  onApply: () => void;
}

export function ReviewStep({ answers, onConfirm, onBack, onApply }: Props) {
  const { t } = useLingui();
  const [reviewed, setReviewed] = useState<Reviewed | null>(null);
  const [trouble, setTrouble] = useState<unknown>(null);
  const [asking, setAsking] = useState(false);
  const sent = JSON.stringify(answers);

  useEffect(() => {
    setReviewed(null);
    review(JSON.parse(sent) as Tree).then(setReviewed, setTrouble);
  }, [sent]);

  if (trouble !== null) return <Failure what={t`The answers cannot be reviewed`} error={trouble} />;
  const faults = reviewed?.faults ?? [];
  const confirm = reviewed?.confirm ?? "";
  const others = confirm ? faults.filter((each) => each.name !== "users") : faults;
  return (
    <div className={css.form}>
      <h2>
        <Trans>Review</Trans>
      </h2>
      <p className="muted">
        <Trans>Nothing has been written yet.</Trans>
      </p>
      <dl className={css.review}>
        {reviewed?.words.map((step) => (
          <div key={step.step}>
            <dt>{step.title}</dt>
            {step.words.map((words) => (
              <dd key={words}>{words}</dd>
            ))}
          </div>
        ))}
      </dl>
      {faults.map((fault) => (
        <p key={fault.name + fault.text} className={`error ${css.fault}`} role="alert">
          {fault.name}: {fault.text}
        </p>
      ))}
      <div className={css.buttons}>
        <Button onClick={onBack}>
          <Trans>Back</Trans>
        </Button>
        {confirm ? (
          <Button kind="danger" onClick={() => setAsking(true)}>
            <Trans>Confirm the administrators</Trans>
          </Button>
        ) : (
          <Button
            kind="primary"
            onClick={onApply}
            busy={!reviewed}
            disabledBecause={others.length ? t`Correct the errors above first` : undefined}
          >
            <Trans>Set it up</Trans>
          </Button>
        )}
      </div>
      <ConfirmWords
        asked={asking ? { words: confirm, text: faults.find((each) => each.name === "users")?.text ?? "" } : null}
        busy={false}
        onClose={() => setAsking(false)}
        onConfirm={(words) => {
          setAsking(false);
          onConfirm(words);
        }}
      />
    </div>
  );
}
