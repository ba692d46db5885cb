/** The form of some settings, from their first skeleton on. */
import { useLingui } from "@lingui/react/macro";
import { Failure } from "@/parts/base/Notice.tsx";
import { FormContext } from "@/parts/form/context.ts";
import type { Group } from "@/parts/form/fields.ts";
import { Form } from "@/parts/form/Form.tsx";
import { FormSkeleton } from "@/parts/form/FormSkeleton.tsx";
import css from "./SettingsScreen.module.css";
import type { SettingsOf } from "./useSettingsPage.ts";

interface Props {
  settings: SettingsOf;
  groups: readonly Group[];
  /** The setting that one came for. */
  show?: string | undefined;
}

export function SettingsForm({ settings, groups, show }: Props) {
  const { t } = useLingui();
  return (
    <div className={css.form}>
      {settings.error ? (
        <Failure what={t`The settings could not be read.`} error={settings.error} retry={settings.again} />
      ) : !settings.ready ? (
        <FormSkeleton />
      ) : (
        <FormContext value={settings.form.state}>
          <Form groups={groups} show={show} />
        </FormContext>
      )}
    </div>
  );
}
