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
import { type AliasRow, idOf } from "./alias.ts";
import { useAliasColumns } from "./columns.tsx";

const FILTERS = ["domain"];
const AliasDrawer = later(() => import("./AliasDrawer.tsx"));
const AddRecord = later(() => import("@/parts/people/AddRecord.tsx"));
const CheckDrawer = later(() => import("./CheckDrawer.tsx"));

export default function AliasesScreen() {
  const { t } = useLingui();
  const who = useStore(me);
  const model = useMemo(
    () =>
      new ListModel<AliasRow>({
        id: idOf,
        jumps: () => takes("alias", "list", "skip"),
        fetch: async (request, signal) => withoutGoing("alias", await page<AliasRow>("alias", request, signal), idOf),
      }),
    [],
  );
  const columns = useAliasColumns();
  const { query, onQuery, open, onOpen } = useListUrl(FILTERS, "alias");
  const [words, change] = useUrl();
  const home = useHome(query.filters.domain);
  const may = mayChange(who, "accounts");
  const refresh = () => model.refresh();
  useTopic<{ paths?: string[] }>("config", refresh);
  const add = (
    <Button
      kind="primary"
      icon="plus"
      onClick={() => change({ add: "1", open: null, check: null })}
      disabledBecause={may ? undefined : t`Your right is to look, not to change`}
    >
      <Trans>Add alias</Trans>
    </Button>
  );
  return (
    <Page title={t`Aliases`} summary={query.filters.domain} action={add}>
      <Split>
        <List
          name="aliases"
          label={t`Aliases`}
          {...{ model, columns, query, onQuery, open }}
          onOpen={(id) => change({ open: id, tab: null, add: null, check: null }, true)}
          placeholder={t`Filter by name or description`}
          filters={
            <>
              <DomainFilter
                value={query.filters.domain ?? ""}
                onChange={(domain) => onQuery({ filters: { domain } })}
              />
              <Button
                icon="branch"
                onClick={() => change({ check: "?", open: null, add: null })}
                aria-pressed={words.check !== undefined}
              >
                <Trans>Check an address</Trans>
              </Button>
            </>
          }
          failed={t`The aliases could not be read.`}
          empty={
            <Notice icon="at" title={<Trans>There are no aliases yet.</Trans>} action={add}>
              <p>
                <Trans>An alias is a name that stands for other addresses, here or elsewhere: info@example.org.</Trans>
              </p>
            </Notice>
          }
        />
        {words.add && may ? (
          <AddRecord
            noun="alias"
            title={t`Add alias`}
            said={(name) => t`${name} is added`}
            initial={home.initial}
            fields={[
              {
                name: "name",
                label: t`Alias`,
                placeholder: `info${home.at}`,
                required: t`A name is needed`,
                help: (
                  <Trans>
                    <code>*</code> stands for any characters, <code>?</code> for one. A bare name is in the primary
                    domain.
                  </Trans>
                ),
              },
              {
                name: "to",
                label: t`Leads to`,
                many: true,
                required: t`At least one address is needed that gets the mail`,
                help: t`Users, groups, addresses elsewhere. Enter adds one.`,
              },
              { name: "description", label: t`Description`, help: t`A remark for administrators.` },
            ]}
            onClose={() => change({ add: null })}
            onAdded={(name) => (refresh(), change({ add: null, open: home.full(name) }))}
          />
        ) : words.check !== undefined ? (
          <CheckDrawer
            address={words.check === "?" ? "" : words.check}
            onAddress={(address) => change({ check: address || "?" })}
            onClose={() => change({ check: null })}
          />
        ) : (
          open !== null && (
            <AliasDrawer key={open} name={open} onClose={() => onOpen(null)} onOpen={onOpen} onChanged={refresh} />
          )
        )}
      </Split>
    </Page>
  );
}
