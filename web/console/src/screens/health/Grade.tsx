import { useLingui } from "@lingui/react/macro";
import { State } from "@/parts/base/State.tsx";
import type { Grade } from "./check.ts";

export function GradeState({ grade }: { grade: Grade }) {
  const { t } = useLingui();
  if (grade === "fails") return <State mood="error">{t`Fails`}</State>;
  if (grade === "warns") return <State mood="warn">{t`Warns`}</State>;
  if (grade === "passes") return <State mood="ok">{t`Passes`}</State>;
  return (
    <State mood="muted" icon="help">
      {t`Unknown`}
    </State>
  );
}
