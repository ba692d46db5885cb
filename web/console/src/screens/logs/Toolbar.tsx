/** Search, time, highlighting, and the whole as a file. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Popover } from "@mantine/core";
import { useEffect, useState } from "react";
import { toast } from "@/api/operations.ts";
import { Button, IconButton } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { number, shortTime } from "@/parts/base/Moment.tsx";
import { Highlight } from "./Highlight.tsx";
import type { Rule } from "./line.ts";
import css from "./Logs.module.css";
import type { LogQuery } from "./model.ts";
import { saveLog } from "./save.ts";

const TYPING = 350;

interface Props {
  query: LogQuery;
  name: string;
  rules: readonly Rule[];
  setRules: (rules: readonly Rule[]) => void;
  change: (change: Record<string, string | null>) => void;
}

export function Toolbar({ query, name, rules, setRules, change }: Props) {
  const { t } = useLingui();
  const [typed, setTyped] = useState(query.search);
  useEffect(() => setTyped(query.search), [query.search]);
  useEffect(() => {
    if (typed === query.search) return undefined;
    const timer = setTimeout(() => change({ q: typed, at: null, line: null }), TYPING);
    return () => clearTimeout(timer);
  }, [typed, query.search, change]);
  return (
    <div className={css.toolbar}>
      <label className={css.search}>
        <Icon name="search" />
        <input
          value={typed}
          placeholder={t`Text, /expression/, address, IP or ID`}
          aria-label={t`Search in the log`}
          spellCheck={false}
          onChange={(event) => setTyped(event.target.value)}
          onKeyDown={(event) => event.key === "Escape" && typed && (event.stopPropagation(), setTyped(""))}
        />
        {typed && (
          <button type="button" aria-label={t`Clear the search`} onClick={() => setTyped("")}>
            <Icon name="close" size={14} />
          </button>
        )}
      </label>
      <Time {...{ query, change }} />
      <span className={css.tools}>
        <Highlight rules={rules} onChange={setRules} />
        <Save {...{ query, name }} />
      </span>
    </div>
  );
}

/** `2026-11-24T17:00` of the browser's clock, as the server takes it. */
const moment = (local: string): string => (local ? new Date(local).toISOString().replace(/\.\d+Z$/, "Z") : "");

/** The other way round, for an input. */
function local(at: string): string {
  const date = new Date(at);
  if (!at || Number.isNaN(date.getTime())) return "";
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

const HOUR = 3_600_000;

function Time({ query, change }: Pick<Props, "query" | "change">) {
  const { t } = useLingui();
  const { since, until, at } = query;
  const [opened, setOpened] = useState(false);
  const short = (text: string) => shortTime(new Date(text));
  const said = at
    ? t`Around ${short(at)}`
    : since && until
      ? `${short(since)} – ${short(until)}`
      : since
        ? t`From ${short(since)}`
        : until
          ? t`Up to ${short(until)}`
          : t`Newest`;
  const set = (part: Record<string, string | null>) => {
    change({ since: null, until: null, at: null, line: null, ...part });
    setOpened(false);
  };
  const ago = (hours: number) =>
    set({ since: new Date(Date.now() - hours * HOUR).toISOString().replace(/\.\d+Z$/, "Z") });
  return (
    <Popover opened={opened} onChange={setOpened} position="bottom-start" trapFocus>
      <Popover.Target>
        <Button icon="clock" onClick={() => setOpened(!opened)} aria-label={t`Time: ${said}`}>
          {said}
          <Icon name="down" />
        </Button>
      </Popover.Target>
      <Popover.Dropdown className={css.popover}>
        <form
          className={css.times}
          onSubmit={(event) => {
            event.preventDefault();
            const form = new FormData(event.currentTarget);
            const value = (name: string) => moment(String(form.get(name) ?? "")) || null;
            if (value("at")) set({ at: value("at") });
            else set({ since: value("since"), until: value("until") });
          }}
        >
          <label>
            <span>{t`Jump to`}</span>
            <input className="field" type="datetime-local" name="at" step={1} defaultValue={local(at)} />
          </label>
          <label>
            <span>{t`Only from`}</span>
            <input className="field" type="datetime-local" name="since" defaultValue={local(since)} />
          </label>
          <label>
            <span>{t`up to`}</span>
            <input className="field" type="datetime-local" name="until" defaultValue={local(until)} />
          </label>
          <div className={css.quick}>
            <Button small onClick={() => set({})}>
              <Trans>Newest</Trans>
            </Button>
            <Button small onClick={() => ago(1)}>
              <Trans>Last hour</Trans>
            </Button>
            <Button small onClick={() => ago(24)}>
              <Trans>Last day</Trans>
            </Button>
            <Button small kind="primary" type="submit">
              <Trans>Show</Trans>
            </Button>
          </div>
          <p className="muted">
            <Trans>Times here are of your browser; lines have the server's.</Trans>
          </p>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}

function Save({ query, name }: Pick<Props, "query" | "name">) {
  const { t } = useLingui();
  const [busy, setBusy] = useState<{ count: number; stop: AbortController } | null>(null);
  const start = async () => {
    const stop = new AbortController();
    setBusy({ count: 0, stop });
    try {
      const { cut } = await saveLog(name, query, (count) => setBusy({ count, stop }), stop.signal);
      if (cut) toast(t`Only the newest ${number(cut)} lines are in the file: narrow the search for others`);
    } catch (error) {
      if (!stop.signal.aborted)
        toast(t`The log could not be saved: ${error instanceof Error ? error.message : ""}`, "failed");
    } finally {
      setBusy(null);
    }
  };
  if (busy) {
    const read = number(busy.count);
    return (
      <Button small onClick={() => busy.stop.abort()}>
        <Trans>{read} read. Stop</Trans>
      </Button>
    );
  }
  return <IconButton icon="download" label={t`Save as text`} onClick={() => void start()} />;
}
