/** Below a form with changes: how many, Discard, Review, Save; and what stands in the way. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { lazy, Suspense, useState } from "react";
import { Button } from "../base/Button.tsx";
import { Icon } from "../base/Icon.tsx";
import css from "./SaveBar.module.css";
import { type EditorForm, fieldOf } from "./useEditor.ts";

// Few who change something meet any of these: they are fetched when somebody does.
const ConfirmWords = lazy(() => import("./ConfirmWords.tsx").then((module) => ({ default: module.ConfirmWords })));
const Conflicts = lazy(() => import("./Conflicts.tsx").then((module) => ({ default: module.Conflicts })));
const Review = lazy(() => import("./Review.tsx").then((module) => ({ default: module.Review })));

export function SaveBar({ form }: { form: EditorForm }) {
  const { t } = useLingui();
  const [reviewing, setReviewing] = useState(false);
  const paths = Object.keys(form.state.edits);
  const wrong = Object.keys(form.state.faults).length;
  const restart = paths.some((path) => fieldOf(path, form.fields)?.schema["x-applies"] === "restart");
  if (!paths.length && !form.refusal && !form.warnings.length) return null;
  const because = form.state.readOnly || (wrong ? t`Correct the marked fields first` : undefined);
  return (
    <div className={css.bar} role="region" aria-label={t`Changes`}>
      {(form.refusal || form.warnings.length > 0) && (
        <div className={css.said} role="alert">
          {form.refusal && (
            <p className="error">
              <Icon name="error" />
              {form.refusal}
            </p>
          )}
          {form.warnings.map((warning) => (
            <p key={warning} className="warn">
              <Icon name="warn" />
              {warning}
            </p>
          ))}
        </div>
      )}
      {paths.length > 0 && (
        <div className={css.row}>
          <i className="dot" />
          <span className={css.count}>
            <b>
              <Plural value={paths.length} one="# change" other="# changes" />
            </b>{" "}
            <span className="muted">
              {wrong ? (
                <span className="error">
                  <Plural value={wrong} one="# is wrong" other="# are wrong" />
                </span>
              ) : form.state.settings ? (
                restart ? (
                  <Trans>not saved. Some need a restart</Trans>
                ) : (
                  <Trans>not saved. Apply at once, no restart</Trans>
                )
              ) : (
                <Trans>not saved</Trans>
              )}
            </span>
          </span>
          <Button kind="quiet" onClick={form.discard}>
            <Trans>Discard</Trans>
          </Button>
          <Button onClick={() => setReviewing(true)}>
            <Trans>Review</Trans>
          </Button>
          <Button kind="primary" busy={form.busy} disabledBecause={because} onClick={() => void form.save()}>
            <Plural value={paths.length} one="Save # change" other="Save # changes" />
          </Button>
        </div>
      )}
      <Suspense>
        {reviewing && <Review form={form} opened={paths.length > 0} onClose={() => setReviewing(false)} />}
        {form.confirm && (
          <ConfirmWords
            asked={form.confirm}
            busy={form.busy}
            onClose={form.dismiss}
            onConfirm={(words) => void form.save(words)}
          />
        )}
        {form.conflicts !== null && <Conflicts form={form} />}
      </Suspense>
    </div>
  );
}
