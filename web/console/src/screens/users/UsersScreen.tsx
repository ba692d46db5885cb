import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { run } from "@/api/admin.ts";
import { useTopic } from "@/api/live.ts";
import { toast } from "@/api/operations.ts";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Page } from "@/app/Page.tsx";
import { useListUrl, useUrl } from "@/app/url.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { Split } from "@/parts/drawer/Drawer.tsx";
import { later } from "@/parts/drawer/Later.tsx";
import { List, type Selected } from "@/parts/list/List.tsx";
import { useList } from "@/parts/list/useList.ts";
import { DomainFilter } from "@/parts/people/DomainFilter.tsx";
import { useUserColumns } from "./columns.tsx";
import { idOf, type UserRow } from "./user.ts";

const FILTERS = ["domain"];
const UserDrawer = later(() => import("./UserDrawer.tsx"));
const AddUser = later(() => import("./AddUser.tsx"));

export default function UsersScreen() {
  const { t } = useLingui();
  const who = useStore(me);
  const model = useList<UserRow>("user", idOf);
  const columns = useUserColumns();
  const { query, onQuery, open, onOpen } = useListUrl(FILTERS, "address");
  const [words, change] = useUrl();
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
      <Trans>Add user</Trans>
    </Button>
  );
  return (
    <Page title={t`Users`} summary={query.filters.domain} action={add}>
      <Split>
        <List
          name="users"
          label={t`Users`}
          {...{ model, columns, query, onQuery, open, onOpen }}
          placeholder={t`Filter by name, address or description`}
          filters={
            <DomainFilter value={query.filters.domain ?? ""} onChange={(domain) => onQuery({ filters: { domain } })} />
          }
          failed={t`The users could not be read.`}
          empty={
            <Notice icon="users" title={<Trans>There are no users yet.</Trans>} action={add}>
              <p>
                <Trans>
                  A user is a mailbox, and someone who signs in. Many at once come from a CSV: whimbrel user import
                  FILE.
                </Trans>
              </p>
            </Notice>
          }
          {...(may ? { bulk: (selected: Selected<UserRow>) => <Bulk selected={selected} done={refresh} /> } : {})}
        />
        {words.add ? (
          <AddUser
            onClose={() => change({ add: null })}
            onAdded={(address) => (refresh(), change({ add: null, open: address }))}
          />
        ) : (
          open !== null && <UserDrawer key={open} name={open} onClose={() => onOpen(null)} onChanged={refresh} />
        )}
      </Split>
    </Page>
  );
}

function Bulk({ selected, done }: { selected: Selected<UserRow>; done: () => void }) {
  const { t } = useLingui();
  const count = selected.ids.length;
  const each = async (verb: "enable" | "disable", said: string) => {
    const refused: string[] = [];
    for (const name of selected.ids) {
      // oxlint-disable-next-line no-await-in-loop -- a server that writes one file gains nothing by many at once
      await run("user", verb, { name }).catch((error: Error) => refused.push(`${name}: ${error.message}`));
    }
    toast(refused.length ? t`Refused: ${refused.join("; ")}` : said, refused.length ? "failed" : "done");
    selected.clear();
    done();
  };
  return (
    <>
      <Button icon="unlock" onClick={() => void each("enable", t`Sign-in is on`)}>
        <Trans>Sign-in on</Trans>
      </Button>
      <Button icon="ban" onClick={() => void each("disable", t`Sign-in is off`)}>
        <Trans>Sign-in off</Trans>
      </Button>
      <span className="muted">
        <Plural value={count} one="changes # user at once" other="changes # users at once" />
      </span>
    </>
  );
}
