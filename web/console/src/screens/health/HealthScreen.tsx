/** All checks of `doctor`: what is so, since when, what mends it, and who is told. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { useFresh } from "@/api/live.ts";
import { toast } from "@/api/operations.ts";
import { Page, Scroll } from "@/app/Page.tsx";
import { useListUrl, useUrl } from "@/app/url.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { Split } from "@/parts/drawer/Drawer.tsx";
import { Tabs } from "@/parts/drawer/Tabs.tsx";
import { SaveBar } from "@/parts/form/SaveBar.tsx";
import { List } from "@/parts/list/List.tsx";
import { localPage } from "@/parts/list/local.ts";
import { ListModel } from "@/parts/list/model.ts";
import { groupsIn } from "@/screens/settings/pages.ts";
import { LaterSettingsForm } from "@/screens/settings/later.tsx";
import { useSettingsPage } from "@/screens/settings/useSettingsPage.ts";
import { byGrade, type Check, checksOf, type Grade, gradeOf, GRADES, unheard } from "./check.ts";
import { CheckDrawer } from "./CheckDrawer.tsx";
import { useCheckColumns } from "./columns.tsx";

const FILTERS = ["state"];
const WAYS = {
  words: (row: Check) => `${row.title} ${row.check} ${row.text} ${row.advice}`,
  filters: {
    state: (row: Check, value: string) => (value === "unheard" ? unheard(row) : gradeOf(row.state) === value),
  },
  sorts: {
    check: (row: Check) => row.title,
    state: (row: Check) => GRADES.indexOf(gradeOf(row.state)),
    since: (row: Check) => row.since ?? "",
  },
};
const worstFirst = (checks: readonly Check[]) =>
  byGrade(checks.map((each) => ({ ...each, grade: gradeOf(each.state) })));

export default function HealthScreen() {
  const { t } = useLingui();
  const [words, change] = useUrl();
  const queries = useQueryClient();
  const [looking, setLooking] = useState(false);
  const [checks, setChecks] = useState<readonly Check[]>();
  const model = useMemo(
    () =>
      new ListModel<Check>({
        id: (row) => row.check,
        fetch: async (request, signal) => {
          const all = await checksOf(true, signal);
          setChecks(all);
          return localPage(worstFirst(all), request, WAYS);
        },
      }),
    [],
  );
  const { query, onQuery, open, onOpen } = useListUrl(FILTERS);
  const columns = useCheckColumns();
  useFresh("health", () => model.refresh(), 30);
  const look = useCallback(async () => {
    setLooking(true);
    try {
      queries.setQueryData(["doctor"], await checksOf(false));
      model.refresh();
    } catch (error) {
      toast(t`The checks could not be made: ${error instanceof Error ? error.message : ""}`, "failed");
    }
    setLooking(false);
  }, [model, queries, t]);
  const settings = useSettingsPage("health");
  const tab = words.tab ?? (words.setting ? "settings" : "checks");
  const { edits, faults } = settings.form.state;
  return (
    <Page
      title={t`Health checks`}
      summary={checks && <Summary checks={checks} />}
      action={
        <Button kind="primary" icon="redo" busy={looking} onClick={() => void look()}>
          <Trans>Run checks</Trans>
        </Button>
      }
    >
      <Tabs
        tabs={[
          { id: "checks", title: t`Checks` },
          {
            id: "settings",
            title: t`Settings`,
            dirty: Object.keys(edits).length > 0,
            wrong: Object.keys(faults).length > 0,
          },
        ]}
        value={tab}
        onChange={(next) => change({ tab: next, setting: null, open: null })}
      />
      {tab === "settings" ? (
        <Scroll label={t`Settings`}>
          <LaterSettingsForm
            settings={settings}
            groups={groupsIn(settings.groups, "health", "all")}
            show={words.setting}
          />
        </Scroll>
      ) : (
        <Split>
          <List
            name="health"
            label={t`Health checks`}
            {...{ model, columns, query, onQuery, open }}
            onOpen={onOpen}
            placeholder={t`Filter checks`}
            filters={
              <States
                value={query.filters.state ?? ""}
                checks={checks ?? []}
                onChange={(state) => onQuery({ filters: { state } })}
              />
            }
            failed={t`The health checks could not be read.`}
            empty={<Notice icon="gauge" title={<Trans>No check was made yet.</Trans>} />}
          />
          {open !== null && (
            <CheckDrawer key={open} id={open} {...{ model, look, looking }} onClose={() => onOpen(null)} />
          )}
        </Split>
      )}
      <SaveBar form={settings.form} />
    </Page>
  );
}

function Summary({ checks }: { checks: readonly Check[] }) {
  const { t } = useLingui();
  const count = (grade: Grade) => checks.filter((each) => gradeOf(each.state) === grade).length;
  const [fail, warn, pass] = [count("fails"), count("warns"), count("passes")];
  return t`${fail} fail, ${warn} warn, ${pass} pass`;
}

function States({
  value,
  checks,
  onChange,
}: {
  value: string;
  checks: readonly Check[];
  onChange: (state: string) => void;
}) {
  const { t } = useLingui();
  const nobody = checks.filter(unheard).length;
  return (
    <select className="select" aria-label={t`State`} value={value} onChange={(event) => onChange(event.target.value)}>
      <option value="">{t`All states`}</option>
      <option value="fails">{t`Fails`}</option>
      <option value="warns">{t`Warns`}</option>
      <option value="unknown">{t`Unknown`}</option>
      <option value="passes">{t`Passes`}</option>
      <option value="unheard">{nobody ? t`Nobody is told (${nobody})` : t`Nobody is told`}</option>
    </select>
  );
}
