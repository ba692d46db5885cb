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
import { withoutGoing } from "@/parts/people/removal.ts";
import { useDomainColumns } from "./columns.tsx";
import { type DomainRow, idOf } from "./domain.ts";

const USAGE = { usage: "true" };
const DomainDrawer = later(() => import("./DomainDrawer.tsx"));
const AddRecord = later(() => import("@/parts/people/AddRecord.tsx"));

export default function DomainsScreen() {
  const { t } = useLingui();
  const who = useStore(me);
  const model = useMemo(
    () =>
      new ListModel<DomainRow>({
        id: idOf,
        jumps: () => takes("domain", "list", "skip"),
        fetch: async (request, signal) => {
          const filters = { ...request.filters, ...USAGE };
          return withoutGoing("domain", await page<DomainRow>("domain", { ...request, filters }, signal), idOf);
        },
      }),
    [],
  );
  const columns = useDomainColumns();
  const { query, onQuery, open, onOpen } = useListUrl([], "name");
  const [words, change] = useUrl();
  const may = mayChange(who, "server");
  const refresh = () => model.refresh();
  useTopic<{ paths?: string[] }>("config", refresh);
  const add = (
    <Button
      kind="primary"
      icon="plus"
      onClick={() => change({ add: "1", open: null })}
      disabledBecause={may ? undefined : t`Only who administers the server adds domains`}
    >
      <Trans>Add domain</Trans>
    </Button>
  );
  return (
    <Page title={t`Domains`} action={add}>
      <Split>
        <List
          name="domains"
          label={t`Domains`}
          {...{ model, columns, query, onQuery, open, onOpen }}
          placeholder={t`Filter by name or description`}
          failed={t`The domains could not be read.`}
          empty={
            <Notice icon="globe" title={<Trans>There are no domains yet.</Trans>} action={add}>
              <p>
                <Trans>The server takes mail for the domains that stand here, and for no others.</Trans>
              </p>
            </Notice>
          }
        />
        {words.add && may ? (
          <AddRecord
            noun="domain"
            title={t`Add domain`}
            said={(name) => t`${name} is added: mail comes once its MX record names this server`}
            fields={[
              {
                name: "name",
                label: t`Domain`,
                placeholder: "example.org",
                required: t`A name is needed`,
                help: t`What stands behind the @ in addresses.`,
              },
              { name: "description", label: t`Description`, help: t`A remark for administrators.` },
            ]}
            onClose={() => change({ add: null })}
            onAdded={(name) => (refresh(), change({ add: null, open: name.toLowerCase() }))}
          />
        ) : (
          open !== null && <DomainDrawer key={open} name={open} onClose={() => onOpen(null)} onChanged={refresh} />
        )}
      </Split>
    </Page>
  );
}
