/** Who changed what, when and from where, from what to what; and undoing it. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { useTopic } from "@/api/live.ts";
import { me } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Page } from "@/app/Page.tsx";
import { useListUrl } from "@/app/url.ts";
import { IconButton } from "@/parts/base/Button.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { Split } from "@/parts/drawer/Drawer.tsx";
import { List } from "@/parts/list/List.tsx";
import { ListModel } from "@/parts/list/model.ts";
import { type Change, changes, FILTERS, isLocal } from "./change.ts";
import { ChangeDrawer } from "./ChangeDrawer.tsx";
import css from "./Changes.module.css";
import { useChangeColumns } from "./columns.tsx";

export default function ChangesScreen() {
  const { t } = useLingui();
  const model = useMemo(() => new ListModel<Change>({ id: (row) => row.key, fetch: changes }), []);
  const columns = useChangeColumns();
  const { query, onQuery, open, onOpen } = useListUrl(FILTERS);
  const refresh = () => model.refresh();
  useTopic("config", refresh);
  const { filters } = query;
  const filter = (part: Record<string, string>) => onQuery({ filters: { ...filters, ...part } });
  return (
    <Page title={t`Change history`}>
      <Split>
        <List
          name="changes"
          label={t`Changes`}
          {...{ model, columns, query, onQuery, open, onOpen }}
          placeholder={t`Filter by any part of a change`}
          filters={
            <>
              <Who value={filters.user ?? ""} onChange={(user) => filter({ user })} />
              <Since value={filters.last ?? ""} onChange={(last) => filter({ last })} />
              {["setting", "record"].map(
                (name) =>
                  filters[name] && (
                    <span key={name} className={css.chip}>
                      <span className="ellipsis">{filters[name]}</span>
                      <IconButton icon="close" label={t`Show all`} onClick={() => filter({ [name]: "" })} />
                    </span>
                  ),
              )}
            </>
          }
          failed={t`The history could not be read.`}
          empty={
            <Notice icon="history" title={<Trans>Nothing was changed yet.</Trans>}>
              <p>
                <Trans>
                  Every change of a setting, user, domain, alias or group appears here, whether it was made in the
                  console, on the command line, by a program or in the files. It is read from the config log.
                </Trans>
              </p>
            </Notice>
          }
        />
        {open !== null && (
          <ChangeDrawer
            key={open}
            id={open}
            model={model}
            onClose={() => onOpen(null)}
            onChanged={refresh}
            onFilter={(part) => onQuery({ filters: { ...filters, ...part } })}
          />
        )}
      </Split>
    </Page>
  );
}

function Who({ value, onChange }: { value: string; onChange: (user: string) => void }) {
  const { t } = useLingui();
  const own = useStore(me)?.account ?? "";
  const other = value && value !== own && !isLocal(value);
  return (
    <select className="select" aria-label={t`Who`} value={value} onChange={(event) => onChange(event.target.value)}>
      <option value="">{t`Everybody`}</option>
      {own && <option value={own}>{t`I myself`}</option>}
      <option value="local">{t`Command line`}</option>
      {other && <option>{value}</option>}
    </select>
  );
}

function Since({ value, onChange }: { value: string; onChange: (since: string) => void }) {
  const { t } = useLingui();
  const spans: Record<string, string> = {
    "": t`At any time`,
    "24h": t`Last 24 hours`,
    "7d": t`Last 7 days`,
    "30d": t`Last 30 days`,
  };
  return (
    <select className="select" aria-label={t`When`} value={value} onChange={(event) => onChange(event.target.value)}>
      {Object.entries(spans).map(([span, name]) => (
        <option key={span} value={span}>
          {name}
        </option>
      ))}
    </select>
  );
}
