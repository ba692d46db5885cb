/** A page of settings, drawn from the schema. */
import { useLingui } from "@lingui/react/macro";
import { useRouterState } from "@tanstack/react-router";
import { useMemo } from "react";
import { useSchema } from "@/api/schema.ts";
import { me, mayChange } from "@/api/session.ts";
import { useSettings } from "@/api/settings.ts";
import { useStore } from "@/api/store.ts";
import { Page, Scroll } from "@/app/Page.tsx";
import { useUrl } from "@/app/url.ts";
import { Failure } from "@/parts/base/Notice.tsx";
import { Tabs } from "@/parts/drawer/Tabs.tsx";
import { FormContext } from "@/parts/form/context.ts";
import { groupsOf } from "@/parts/form/fields.ts";
import { Form } from "@/parts/form/Form.tsx";
import { FormSkeleton } from "@/parts/form/FormSkeleton.tsx";
import { SaveBar } from "@/parts/form/SaveBar.tsx";
import { groupsIn, pageOf, SETTINGS_PAGES, tabOf } from "./pages.ts";
import css from "./SettingsScreen.module.css";
import { useSettingsForm } from "./useSettingsForm.ts";

export default function SettingsScreen() {
  const { t, i18n } = useLingui();
  const who = useStore(me);
  const id =
    useRouterState({ select: (state) => state.location.pathname })
      .split("/")
      .at(-1) ?? "";
  const page = SETTINGS_PAGES.find((each) => each.id === id) ?? SETTINGS_PAGES[0];
  const [words, change] = useUrl();
  const schema = useSchema();
  const settings = useSettings();
  const groups = useMemo(() => (schema.data ? groupsOf(schema.data.settings) : []), [schema.data]);
  const fields = useMemo(
    () => groups.flatMap((group) => group.fields).filter((field) => pageOf(field.path) === page?.id),
    [groups, page],
  );
  const readOnly = mayChange(who, "server") ? "" : t`You may look, but not change settings of the server.`;
  const form = useSettingsForm(settings.data, fields, readOnly);
  if (!page) return null;

  const shown = words.setting;
  const tabs = page.tabs.filter((tab) => groupsIn(groups, page.id, tab.id).length > 0);
  const tab = words.tab ?? (shown ? tabOf(shown) : undefined) ?? tabs[0]?.id ?? "";
  const within = (map: Readonly<Record<string, unknown>>, which: string) =>
    Object.keys(map).some((path) => pageOf(path) === page.id && tabOf(path) === which);
  const failed = schema.error ?? settings.error;
  const title = i18n._(page.title);
  const again = () => void Promise.all([schema.refetch(), settings.refetch()]);
  return (
    <Page title={title} summary={who?.server.hostname}>
      {tabs.length > 1 && (
        <Tabs
          tabs={tabs.map((each) => ({
            id: each.id,
            title: i18n._(each.title),
            dirty: within(form.state.edits, each.id),
            wrong: within(form.state.faults, each.id),
          }))}
          value={tab}
          onChange={(next) => change({ tab: next, setting: null })}
        />
      )}
      <Scroll label={title}>
        <div className={css.form}>
          {failed ? (
            <Failure what={t`The settings could not be read.`} error={failed} retry={again} />
          ) : !schema.data || !settings.data ? (
            <FormSkeleton />
          ) : (
            <FormContext value={form.state}>
              <Form key={tab} groups={groupsIn(groups, page.id, tab)} show={shown} />
            </FormContext>
          )}
        </div>
      </Scroll>
      <SaveBar form={form} />
    </Page>
  );
}
