import { Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { Page } from "@/app/Page.tsx";
import { useUrl } from "@/app/url.ts";
import { Button } from "@/parts/base/Button.tsx";
import { number, shortTime } from "@/parts/base/Moment.tsx";
import { Failure, Notice } from "@/parts/base/Notice.tsx";
import { State } from "@/parts/base/State.tsx";
import { Split } from "@/parts/drawer/Drawer.tsx";
import { Tabs } from "@/parts/drawer/Tabs.tsx";
import { DebugBar } from "./DebugBar.tsx";
import { useRules } from "./Highlight.tsx";
import { type LogLine, LOGS, pattern } from "./line.ts";
import { LineDrawer } from "./LineDrawer.tsx";
import { Lines } from "./Lines.tsx";
import css from "./Logs.module.css";
import { LogModel, type LogView } from "./model.ts";
import { Toolbar } from "./Toolbar.tsx";

export default function LogsScreen() {
  const { t } = useLingui();
  const [words, change] = useUrl();
  const log = words.log ?? "mail";
  const { q: search = "", since = "", until = "", at = "", line: mark = "" } = words;
  const logs = useMemo(() => (log === "all" ? [...LOGS] : [log]), [log]);
  const [model] = useState(() => new LogModel());
  const view = useSyncExternalStore(model.subscribe, model.get);
  const [open, setOpen] = useState<LogLine | null>(null);
  const [rules, setRules] = useRules();
  const sought = useMemo(() => pattern(search), [search]);
  const query = useMemo(() => ({ logs, search, since, until, at }), [logs, search, since, until, at]);
  useEffect(() => {
    void model.ask(query);
    setOpen(null);
    return () => model.close();
  }, [model, query]);
  const asked = JSON.stringify(query);
  const titles = useTitles();
  return (
    <Page title={t`Logs`} summary={<Summary view={view} />}>
      <Tabs
        tabs={[...LOGS.map((name) => ({ id: name, title: titles[name] ?? name })), { id: "all", title: t`All` }]}
        value={log}
        onChange={(name) => change({ log: name === "mail" ? null : name, at: null, line: null })}
      />
      {log === "debug" && <DebugBar />}
      <Toolbar {...{ query, rules, setRules, change }} name={log} />
      <Split>
        <section className={css.view} aria-label={titles[log] ?? t`All`}>
          {view.state === "failed" ? (
            <Failure what={t`The log could not be read.`} error={view.error} retry={() => model.retry()} />
          ) : view.state === "ready" && view.lines.length === 0 ? (
            <Nothing
              {...{ search, since, until }}
              live={view.live === "on"}
              onAll={() => change({ q: null, since: null, until: null, at: null })}
            />
          ) : (
            <Lines
              // The view of another query begins at its end again.
              key={asked}
              {...{ model, view, sought, rules, mark, at }}
              named={logs.length > 1}
              open={open?.key ?? null}
              onOpen={setOpen}
            />
          )}
          {view.note && <p className={css.note}>{view.note}</p>}
        </section>
        {open && (
          <LineDrawer
            line={open}
            onClose={() => setOpen(null)}
            onFilter={(text) => change({ q: text, at: null, line: null })}
          />
        )}
      </Split>
    </Page>
  );
}

export function useTitles(): Record<string, string> {
  const { t } = useLingui();
  return {
    mail: t`Mail`,
    security: t`Security`,
    warning: t`Warning`,
    error: t`Error`,
    debug: t`Debug`,
    config: t`Config`,
    operations: t`Operations`,
    spam: t`Spam`,
  };
}

function Summary({ view }: { view: LogView }) {
  const { t } = useLingui();
  const count = number(view.lines.length);
  if (view.state !== "ready") return null;
  if (view.live === "retrying") {
    const since = shortTime(new Date(view.since));
    return (
      <State mood="warn" icon="plug">
        {t`Not live since ${since}, retrying`}
      </State>
    );
  }
  return view.live === "on" ? t`Live, ${count} lines here` : t`${count} lines here`;
}

function Nothing({
  search,
  since,
  until,
  live,
  onAll,
}: {
  search: string;
  since: string;
  until: string;
  live: boolean;
  onAll: () => void;
}) {
  const { t } = useLingui();
  const narrowed = search !== "" || since !== "" || until !== "";
  return (
    <Notice
      icon={narrowed ? "search" : "log"}
      title={
        search ? t`No line has “${search}” in it.` : narrowed ? t`No line is of this time.` : t`This log is empty.`
      }
      action={
        narrowed && (
          <Button onClick={onAll}>
            <Trans>Show all</Trans>
          </Button>
        )
      }
    >
      {live && (
        <p>
          <Trans>What is written from now on appears here.</Trans>
        </p>
      )}
    </Notice>
  );
}
