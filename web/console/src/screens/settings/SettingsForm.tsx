/** The form of some settings, from their first skeleton on. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { guidePlace, toGuide } from "@/app/guide.ts";
import { Icon } from "@/parts/base/Icon.tsx";
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
  const place = guidePlace(groups[0]?.fields[0]?.path ?? "");
  return (
    <div className={css.form}>
      {settings.error ? (
        <Failure what={t`The settings could not be read.`} error={settings.error} retry={settings.again} />
      ) : !settings.ready ? (
        <FormSkeleton />
      ) : (
        <FormContext value={settings.form.state}>
          {place && (
            <Link to="/help" search={toGuide(place) as never} className={`link ${css.guide}`}>
              <Icon name="help" />
              <Trans>What the guide says</Trans>
            </Link>
          )}
          <Form groups={groups} show={show} />
        </FormContext>
      )}
    </div>
  );
}
