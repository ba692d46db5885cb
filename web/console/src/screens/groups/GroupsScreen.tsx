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
import { useGroupColumns } from "./columns.tsx";
import { type GroupRow, idOf } from "./group.ts";

const FILTERS = ["domain"];
const GroupDrawer = later(() => import("./GroupDrawer.tsx"));
const AddRecord = later(() => import("@/parts/people/AddRecord.tsx"));

export default function GroupsScreen() {
  const { t } = useLingui();
  const who = useStore(me);
  const model = useMemo(
    () =>
      new ListModel<GroupRow>({
        id: idOf,
        jumps: () => takes("group", "list", "skip"),
        fetch: async (request, signal) => withoutGoing("group", await page<GroupRow>("group", request, signal), idOf),
      }),
    [],
  );
  const columns = useGroupColumns();
  const { query, onQuery, open, onOpen } = useListUrl(FILTERS, "group");
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
      <Trans>Add group</Trans>
    </Button>
  );
  return (
    <Page title={t`Groups`} summary={query.filters.domain} action={add}>
      <Split>
        <List
          name="groups"
          label={t`Groups`}
          {...{ model, columns, query, onQuery, open, onOpen }}
          placeholder={t`Filter by name or description`}
          filters={
            <DomainFilter value={query.filters.domain ?? ""} onChange={(domain) => onQuery({ filters: { domain } })} />
          }
          failed={t`The groups could not be read.`}
          empty={
            <Notice icon="users" title={<Trans>There are no groups yet.</Trans>} action={add}>
              <p>
                <Trans>A group is several people under one address: staff@example.org.</Trans>
              </p>
            </Notice>
          }
        />
        {words.add && may ? (
          <AddRecord
            noun="group"
            title={t`Add group`}
            said={(name) => t`${name} is added`}
            initial={home.initial}
            fields={[
              {
                name: "name",
                label: t`Address`,
                placeholder: `staff${home.at}`,
                required: t`An address is needed`,
                help: t`A bare name is in the primary domain.`,
              },
              {
                name: "member",
                label: t`Members`,
                many: true,
                help: t`Users, other groups, people elsewhere. Paste many at once.`,
              },
              { name: "description", label: t`Description`, help: t`A remark for administrators.` },
            ]}
            onClose={() => change({ add: null })}
            onAdded={(name) => (refresh(), change({ add: null, open: home.full(name) }))}
          />
        ) : (
          open !== null && (
            <GroupDrawer key={open} name={open} onClose={() => onOpen(null)} onOpen={onOpen} onChanged={refresh} />
          )
        )}
      </Split>
    </Page>
  );
}
