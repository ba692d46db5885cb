import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Menu } from "@mantine/core";
import { read, run } from "@/api/admin.ts";
import { lazy, Suspense, useMemo } from "react";
import { useTopic } from "@/api/live.ts";
import { toast } from "@/api/operations.ts";
import { takes } from "@/api/schema.ts";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Page } from "@/app/Page.tsx";
import { useListUrl, useUrl } from "@/app/url.ts";
import { Button, IconButton } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { Split } from "@/parts/drawer/Drawer.tsx";
import { save } from "@/parts/list/csv.ts";
import { later } from "@/parts/drawer/Later.tsx";
import { List, type Selected } from "@/parts/list/List.tsx";
import { ListModel } from "@/parts/list/model.ts";
import { page } from "@/parts/list/useList.ts";
import { DomainFilter } from "@/parts/people/DomainFilter.tsx";
import { useUserColumns } from "./columns.tsx";
import { idOf, MOST_COUNTED, type UserRow } from "./user.ts";

const FILTERS = ["domain"];
const RemovedUsers = lazy(() => import("./RemovedUsers.tsx"));
const ImportUsers = later(() => import("./ImportUsers.tsx"));
const UserDrawer = later(() => import("./UserDrawer.tsx"));
const AddUser = later(() => import("./AddUser.tsx"));
const Ready = later(() => import("./Ready.tsx"));

export default function UsersScreen() {
  const { t } = useLingui();
  const who = useStore(me);
  const model = useMemo(
    () =>
      new ListModel<UserRow>({
        id: idOf,
        jumps: () => takes("user", "list", "skip"),
        fetch: (request, signal) => {
          const usage: Record<string, string> = request.limit <= MOST_COUNTED ? { usage: "true" } : {};
          return page<UserRow>("user", { ...request, filters: { ...request.filters, ...usage } }, signal);
        },
      }),
    [],
  );
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
  const removed = words.view === "removed";
  const filters = (
    <>
      <DomainFilter value={query.filters.domain ?? ""} onChange={(domain) => onQuery({ filters: { domain } })} />
      <select
        className="select"
        aria-label={t`Which users`}
        value={removed ? "removed" : ""}
        onChange={(event) => change({ view: event.target.value || null, open: null, add: null, sort: null, q: null })}
      >
        <option value="">{t`Present`}</option>
        <option value="removed">{t`Removed`}</option>
      </select>
      {!removed && (
        <Tables domain={query.filters.domain ?? ""} may={may} onImport={() => change({ add: "csv", open: null })} />
      )}
    </>
  );
  if (removed)
    return (
      <Page title={t`Users`} summary={t`removed`}>
        <Suspense>
          <RemovedUsers
            {...{ onQuery, open, onOpen, filters, may }}
            query={words.sort ? query : { ...query, sort: "-removed" }}
          />
        </Suspense>
      </Page>
    );
  return (
    <Page title={t`Users`} summary={query.filters.domain} action={add}>
      <Split>
        <List
          name="users"
          label={t`Users`}
          {...{ model, columns, query, onQuery, open, onOpen, filters }}
          placeholder={t`Filter by name, address or description`}
          failed={t`The users could not be read.`}
          empty={
            <Notice icon="users" title={<Trans>There are no users yet.</Trans>} action={add}>
              <p>
                <Trans>A user is a mailbox, and someone who signs in. Many at once come from a CSV.</Trans>
              </p>
            </Notice>
          }
          {...(may ? { bulk: (selected: Selected<UserRow>) => <Bulk selected={selected} done={refresh} /> } : {})}
        />
        {words.add === "csv" ? (
          <ImportUsers onClose={() => change({ add: null })} onDone={() => (refresh(), change({ add: null }))} />
        ) : open !== null && words.ready === open ? (
          <Ready
            address={open}
            onClose={() => change({ ready: null, open: null })}
            onAnother={() => change({ ready: null, open: null, add: "1" })}
            onOpen={() => change({ ready: null })}
          />
        ) : words.add ? (
          <AddUser
            domain={query.filters.domain ?? ""}
            onClose={() => change({ add: null })}
            onAdded={(address) => (refresh(), change({ add: null, open: address, ready: address }))}
            onTable={() => change({ add: "csv" })}
          />
        ) : (
          open !== null && <UserDrawer key={open} name={open} onClose={() => onOpen(null)} onChanged={refresh} />
        )}
      </Split>
    </Page>
  );
}

/** Many users at once, as a table. */
function Tables({ domain, may, onImport }: { domain: string; may: boolean; onImport: () => void }) {
  const { t } = useLingui();
  const download = async () => {
    try {
      const { text } = await read<{ text: string }>("user", "export", { domain });
      save(`users${domain && `-${domain}`}-${new Date().toISOString().slice(0, 10)}.csv`, text);
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), "failed");
    }
  };
  return (
    <Menu position="bottom-start">
      <Menu.Target>
        <IconButton icon="more" label={t`Import and export`} />
      </Menu.Target>
      <Menu.Dropdown>
        {may && (
          <Menu.Item leftSection={<Icon name="up" />} onClick={onImport}>
            <Trans>Import from a CSV</Trans>
          </Menu.Item>
        )}
        <Menu.Item leftSection={<Icon name="download" />} onClick={() => void download()}>
          <Trans>Export all, as the import reads it</Trans>
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
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
