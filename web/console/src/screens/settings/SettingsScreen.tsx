/** A page of settings, drawn from the schema. */
import { useLingui } from "@lingui/react/macro";
import { useRouterState } from "@tanstack/react-router";
import { me } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Page, Scroll } from "@/app/Page.tsx";
import { useUrl } from "@/app/url.ts";
import { Tabs } from "@/parts/drawer/Tabs.tsx";
import { SaveBar } from "@/parts/form/SaveBar.tsx";
import { groupsIn, pageOf, SETTINGS_PAGES, tabOf } from "./pages.ts";
import { SettingsForm } from "./SettingsForm.tsx";
import { useSettingsPage } from "./useSettingsPage.ts";

export default function SettingsScreen() {
  const { i18n } = useLingui();
  const who = useStore(me);
  const id =
    useRouterState({ select: (state) => state.location.pathname })
      .split("/")
      .at(-1) ?? "";
  const page = SETTINGS_PAGES.find((each) => each.id === id) ?? SETTINGS_PAGES[0];
  const [words, change] = useUrl();
  const settings = useSettingsPage(page?.id);
  if (!page) return null;

  const { form, groups } = settings;
  const shown = words.setting;
  const tabs = page.tabs.filter((tab) => groupsIn(groups, page.id, tab.id).length > 0);
  const tab = words.tab ?? (shown ? tabOf(shown) : undefined) ?? tabs[0]?.id ?? "";
  const within = (map: Readonly<Record<string, unknown>>, which: string) =>
    Object.keys(map).some((path) => pageOf(path) === page.id && tabOf(path) === which);
  const title = i18n._(page.title);
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
        <SettingsForm key={tab} settings={settings} groups={groupsIn(groups, page.id, tab)} show={shown} />
      </Scroll>
      <SaveBar form={form} />
    </Page>
  );
}
