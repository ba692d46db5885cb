/** Several servers in one console: how each of them is, and a link to its own. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { run } from "@/api/admin.ts";
import { useFresh } from "@/api/live.ts";
import { toast } from "@/api/operations.ts";
import { Page, Scroll } from "@/app/Page.tsx";
import { useListUrl, useUrl } from "@/app/url.ts";
import { Button, IconButton } from "@/parts/base/Button.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { Split } from "@/parts/drawer/Drawer.tsx";
import { later } from "@/parts/drawer/Later.tsx";
import { Tabs } from "@/parts/drawer/Tabs.tsx";
import type { FormState } from "@/parts/form/context.ts";
import { SaveBar } from "@/parts/form/SaveBar.tsx";
import { List } from "@/parts/list/List.tsx";
import { localPage } from "@/parts/list/local.ts";
import { ListModel } from "@/parts/list/model.ts";
import { groupsIn } from "@/screens/settings/pages.ts";
import { LaterSettingsForm } from "@/screens/settings/later.tsx";
import { useSettingsPage } from "@/screens/settings/useSettingsPage.ts";
import { useServerColumns } from "./columns.tsx";
import { nameFault, pathOfServer, type ServerRow, servers, STATES, unsaved } from "./server.ts";
import css from "./Servers.module.css";

const ServerDrawer = later(() => import("./ServerDrawer.tsx"));

const rank = (row: ServerRow) => STATES.indexOf(row.state as (typeof STATES)[number]);
const WAYS = {
  words: (row: ServerRow) => `${row.name} ${row.url} ${row.text} ${row.version}`,
  sorts: {
    name: (row: ServerRow) => row.name,
    state: rank,
    waiting: (row: ServerRow) => row.waiting,
    version: (row: ServerRow) => row.version,
    since: (row: ServerRow) => row.since ?? "",
  },
};
const ofServers = (path: string) => path.startsWith("servers/server");

export default function ServersScreen() {
  const { t } = useLingui();
  const [words, change] = useUrl();
  const [known, setKnown] = useState<readonly ServerRow[]>();
  const [looking, setLooking] = useState(false);
  const [name, setName] = useState<string | null>(null);
  const model = useMemo(
    () =>
      new ListModel<ServerRow>({
        id: (row) => row.name,
        fetch: async (request, signal) => {
          const all = await servers(signal);
          setKnown(all);
          return localPage(all, request, WAYS);
        },
      }),
    [],
  );
  const { query, onQuery, open, onOpen } = useListUrl([], "state");
  const columns = useServerColumns();
  useFresh("servers", () => model.refresh(), 10);
  const look = useCallback(
    async (which = "") => {
      setLooking(true);
      try {
        await run("server", "look", which ? { names: [which] } : {});
      } catch (error) {
        toast(error instanceof Error ? error.message : String(error), "failed");
      }
      model.refresh();
      setLooking(false);
    },
    [model],
  );
  const settings = useSettingsPage("servers");
  const { state } = settings.form;
  // Whoever adds a server wants to see at once whether it answers.
  const asked = useRef(new Set<string>());
  useEffect(() => {
    const fresh = (known ?? []).filter((row) => row.state === "unknown" && row.url && !asked.current.has(row.name));
    if (state.readOnly || !fresh.length) return;
    for (const row of fresh) asked.current.add(row.name);
    void look();
  }, [known, state.readOnly, look]);
  const tab = words.tab ?? (words.setting && !ofServers(words.setting) ? "settings" : "servers");
  const groups = groupsIn(settings.groups, "servers", "all").map((group) => ({
    ...group,
    fields: group.fields.filter((field) => !ofServers(field.path)),
  }));
  const marks = (which: (path: string) => boolean) => ({
    dirty: Object.keys(state.edits).some(which),
    wrong: Object.keys(state.faults).some(which),
  });
  return (
    <Page
      title={t`Other servers`}
      summary={known && known.length > 0 && <Summary known={known} />}
      action={
        tab === "servers" && name === null && !state.readOnly ? (
          <Button kind="primary" icon="plus" onClick={() => setName("")}>
            <Trans>Add server</Trans>
          </Button>
        ) : undefined
      }
    >
      <Tabs
        tabs={[
          { id: "servers", title: t`Servers`, ...marks(ofServers) },
          { id: "settings", title: t`Settings`, ...marks((path) => !ofServers(path)) },
        ]}
        value={tab}
        onChange={(next) => change({ tab: next, setting: null, open: null })}
      />
      {tab === "settings" ? (
        <Scroll label={t`Settings`}>
          <LaterSettingsForm settings={settings} groups={groups} show={words.setting} />
        </Scroll>
      ) : (
        <Split>
          <List
            name="servers"
            label={t`Other servers`}
            {...{ model, columns, query, onQuery, open, onOpen }}
            placeholder={t`Filter servers`}
            filters={
              !state.readOnly && (
                <>
                  {name !== null && <Add state={state} {...{ name, setName }} onAdd={onOpen} />}
                  {unsaved(state).map((each) => (
                    <Button key={each} icon="edit" onClick={() => onOpen(each)}>
                      <Trans>{each}, not saved</Trans>
                    </Button>
                  ))}
                  {known && known.length > 0 && (
                    <IconButton
                      icon="redo"
                      label={t`Ask all`}
                      disabledBecause={looking ? t`They are being asked` : undefined}
                      onClick={() => void look()}
                    />
                  )}
                </>
              )
            }
            failed={t`The other servers could not be read.`}
            empty={
              <Notice icon="server" title={<Trans>No other server is shown here.</Trans>}>
                <p>
                  <Trans>
                    This server asks those that you add how they are, each minute, with a token that may only read.
                  </Trans>
                </p>
              </Notice>
            }
          />
          {open !== null && (
            <ServerDrawer key={open} id={open} {...{ model, settings, look, looking }} onClose={() => onOpen(null)} />
          )}
        </Split>
      )}
      <SaveBar form={settings.form} />
    </Page>
  );
}

function Summary({ known }: { known: readonly ServerRow[] }) {
  const bad = known.filter((row) => !["ok", "warning", "unknown"].includes(row.state)).length;
  return bad ? (
    <Plural value={bad} one="# is not in order" other="# are not in order" />
  ) : (
    <Plural value={known.length} one="# server" other="# servers" />
  );
}

interface AddProps {
  state: FormState;
  name: string;
  setName: (name: string | null) => void;
  onAdd: (name: string) => void;
}

/** A name; all else is asked in the drawer. */
function Add({ state, name, setName, onAdd }: AddProps) {
  const { t } = useLingui();
  const fault = name ? nameFault(name, state) : "";
  const begin = (event: { preventDefault: () => void }) => {
    event.preventDefault();
    if (!name || fault) return;
    state.edit(`${pathOfServer(name)}/url`, "");
    onAdd(name);
    setName(null);
  };
  return (
    <form className={css.add} onSubmit={begin}>
      <input
        className="field"
        aria-label={t`Name of the server here`}
        placeholder={t`Name, such as mx2`}
        value={name}
        aria-invalid={fault !== "" || undefined}
        spellCheck={false}
        autoFocus
        onChange={(event) => setName(event.target.value.trim())}
        onKeyDown={(event) => event.key === "Escape" && setName(null)}
      />
      <Button
        kind="primary"
        disabledBecause={
          fault === "taken"
            ? t`There is a server of this name`
            : fault === "form"
              ? t`Letters, digits, dots and dashes`
              : undefined
        }
        onClick={begin}
      >
        <Trans>Add</Trans>
      </Button>
    </form>
  );
}
