/** Who is told of what, when, and whether it reached them. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { useFresh } from "@/api/live.ts";
import { Page, Scroll } from "@/app/Page.tsx";
import { useListUrl, useUrl } from "@/app/url.ts";
import { Icon } from "@/parts/base/Icon.tsx";
import { LinkButton } from "@/parts/base/LinkButton.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { Split } from "@/parts/drawer/Drawer.tsx";
import { later } from "@/parts/drawer/Later.tsx";
import { Tabs } from "@/parts/drawer/Tabs.tsx";
import { SaveBar } from "@/parts/form/SaveBar.tsx";
import { List } from "@/parts/list/List.tsx";
import { localPage } from "@/parts/list/local.ts";
import { ListModel } from "@/parts/list/model.ts";
import { groupsIn } from "@/screens/settings/pages.ts";
import { LaterSettingsForm } from "@/screens/settings/later.tsx";
import { useSettingsPage } from "@/screens/settings/useSettingsPage.ts";
import { type AlertRow, type Alerts, alerts } from "./alert.ts";
import css from "./Alerts.module.css";
import { useAlertColumns } from "./columns.tsx";

const AlertDrawer = later(() => import("./AlertDrawer.tsx"));

const WAYS = {
  words: (row: AlertRow) => `${row.title} ${row.event} ${row.to.join(" ")} ${row.checks.join(" ")}`,
  sorts: { state: (row: AlertRow) => row.state, sent: (row: AlertRow) => row.sent ?? "" },
};

export default function AlertsScreen() {
  const { t } = useLingui();
  const [words, change] = useUrl();
  const [known, setKnown] = useState<Alerts>();
  const model = useMemo(
    () =>
      new ListModel<AlertRow>({
        id: (row) => row.event,
        fetch: async (request, signal) => {
          const all = await alerts(signal);
          setKnown(all);
          return localPage(all.items, request, WAYS);
        },
      }),
    [],
  );
  const { query, onQuery, open, onOpen } = useListUrl();
  const columns = useAlertColumns();
  useFresh("alerts", () => model.refresh(), 10);
  const settings = useSettingsPage("alerts");
  const { edits, faults } = settings.form.state;
  const ofEvents = (path: string) => path.startsWith("alerts/event");
  const marks = (which: (path: string) => boolean) => ({
    dirty: Object.keys(edits).some(which),
    wrong: Object.keys(faults).some(which),
  });
  const tab = words.tab ?? (words.setting && !ofEvents(words.setting) ? "settings" : "events");
  // Events have their own settings in their drawers.
  const groups = groupsIn(settings.groups, "alerts", "all").map((group) => ({
    ...group,
    fields: group.fields.filter((field) => !ofEvents(field.path)),
  }));
  return (
    <Page title={t`Alerts`} summary={known && <Summary known={known} />}>
      <Tabs
        tabs={[
          { id: "events", title: t`Events`, ...marks(ofEvents) },
          { id: "settings", title: t`Who is told, and when`, ...marks((path) => !ofEvents(path)) },
        ]}
        value={tab}
        onChange={(next) => change({ tab: next, setting: null, open: null })}
      />
      {tab === "settings" ? (
        <Scroll label={t`Settings`}>
          <LaterSettingsForm settings={settings} groups={groups} show={words.setting} />
        </Scroll>
      ) : (
        <>
          {known && known.unheard.length > 0 && <Unheard known={known} />}
          <Split>
            <List
              name="alerts"
              label={t`Events`}
              {...{ model, columns, query, onQuery, open, onOpen }}
              placeholder={t`Filter events`}
              failed={t`The alerts could not be read.`}
              empty={<Notice icon="bell" title={<Trans>This server knows no events.</Trans>} />}
            />
            {open !== null && (
              <AlertDrawer key={open} id={open} model={model} settings={settings} onClose={() => onOpen(null)} />
            )}
          </Split>
        </>
      )}
      <SaveBar form={settings.form} />
    </Page>
  );
}

function Summary({ known }: { known: Alerts }) {
  const going = known.items.filter((row) => row.state === "going on").length;
  return going ? (
    <Plural value={going} one="# active alert" other="# active alerts" />
  ) : (
    <Trans>No alert is active</Trans>
  );
}

/** Checks of which nobody hears: with nobody named at all, that is the first thing to mend. */
function Unheard({ known }: { known: Alerts }) {
  const nobody = known.items.every((row) => row.state === "off");
  return (
    <div className={css.unheard} role="status">
      <p className="warn">
        <Icon name="warn" />
        {nobody ? (
          <Trans>Nobody is told when something goes wrong.</Trans>
        ) : (
          <Trans>Nobody is told of some health checks:</Trans>
        )}
      </p>
      {!nobody && (
        <p>
          {known.unheard.map((check, at) => (
            <span key={check}>
              {at > 0 && ", "}
              <Link to="/health" search={{ open: check } as never} className="link">
                {check}
              </Link>
            </span>
          ))}
        </p>
      )}
      {nobody && (
        <LinkButton small to="/alerts" search={{ tab: "settings", setting: "alerts/to" }}>
          <Trans>Choose who is told</Trans>
        </LinkButton>
      )}
    </div>
  );
}
