import { Trans, useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { useTopic } from "@/api/live.ts";
import { takes } from "@/api/schema.ts";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Page } from "@/app/Page.tsx";
import { useListUrl, useUrl } from "@/app/url.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { Split } from "@/parts/drawer/Drawer.tsx";
import { later } from "@/parts/drawer/Later.tsx";
import { List } from "@/parts/list/List.tsx";
import { ListModel } from "@/parts/list/model.ts";
import { page } from "@/parts/list/useList.ts";
import { DomainFilter } from "@/parts/people/DomainFilter.tsx";
import { useHome } from "@/parts/people/home.ts";
import { withoutGoing } from "@/parts/people/removal.ts";
import { useTemplateColumns } from "./columns.tsx";
import { idOf, type TemplateRow } from "./template.ts";

const FILTERS = ["domain"];
const TemplateDrawer = later(() => import("./TemplateDrawer.tsx"));
const AddRecord = later(() => import("@/parts/people/AddRecord.tsx"));

export default function TemplatesScreen() {
  const { t } = useLingui();
  const who = useStore(me);
  const model = useMemo(
    () =>
      new ListModel<TemplateRow>({
        id: idOf,
        jumps: () => takes("template", "list", "skip"),
        fetch: async (request, signal) =>
          withoutGoing("template", await page<TemplateRow>("template", request, signal), idOf),
      }),
    [],
  );
  const columns = useTemplateColumns();
  const { query, onQuery, open, onOpen } = useListUrl(FILTERS, "template");
  const [words, change] = useUrl();
  const home = useHome(query.filters.domain);
  const may = mayChange(who, "accounts");
  const refresh = () => model.refresh();
  useTopic<{ paths?: string[] }>("config", refresh);
  const add = (
    <Button
      kind="primary"
      icon="plus"
      onClick={() => change({ add: "1", open: null })}
      disabledBecause={may ? undefined : t`Your right is to look, not to change`}
    >
      <Trans>Add template</Trans>
    </Button>
  );
  return (
    <Page title={t`Templates`} summary={query.filters.domain} action={add}>
      <Split>
        <List
          name="templates"
          label={t`Templates`}
          {...{ model, columns, query, onQuery, open, onOpen }}
          placeholder={t`Filter by name or description`}
          filters={
            <DomainFilter value={query.filters.domain ?? ""} onChange={(domain) => onQuery({ filters: { domain } })} />
          }
          failed={t`The templates could not be read.`}
          empty={
            <Notice icon="copy" title={<Trans>There are no templates yet.</Trans>} action={add}>
              <p>
                <Trans>
                  A template is a set of values that new users get: quota, groups, limits, rights. It is chosen when a
                  user is added.
                </Trans>
              </p>
            </Notice>
          }
        />
        {words.add && may ? (
          <AddRecord
            noun="template"
            title={t`Add template`}
            said={(name) => t`${name} is added`}
            initial={home.initial}
            fields={[
              {
                name: "name",
                label: t`Name`,
                placeholder: `clerk${home.at}`,
                required: t`A name is needed`,
                help: t`A word, and the domain whose new users it is for. It is no address.`,
              },
              { name: "quota", label: t`Quota`, placeholder: "2G", help: t`Empty: as the domain says.` },
              {
                name: "group",
                label: t`Groups`,
                many: true,
                help: t`Groups that new users are taken into. All else afterwards.`,
              },
              { name: "description", label: t`Description`, help: t`A remark for administrators.` },
            ]}
            onClose={() => change({ add: null })}
            onAdded={(name) => (refresh(), change({ add: null, open: home.full(name) }))}
          />
        ) : (
          open !== null && <TemplateDrawer key={open} name={open} onClose={() => onOpen(null)} onChanged={refresh} />
        )}
      </Split>
    </Page>
  );
}
