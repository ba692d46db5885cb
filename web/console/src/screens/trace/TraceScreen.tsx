import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useEffect, useMemo, useState } from "react";
import { useLiveStatus, useTopic } from "@/api/live.ts";
import { useSettings } from "@/api/settings.ts";
import { Page } from "@/app/Page.tsx";
import { useListUrl } from "@/app/url.ts";
import { Notice } from "@/parts/base/Notice.tsx";
import { Split } from "@/parts/drawer/Drawer.tsx";
import { List } from "@/parts/list/List.tsx";
import { ListModel } from "@/parts/list/model.ts";
import { useTraceColumns } from "./columns.tsx";
import { NothingFound } from "./NothingFound.tsx";
import { isEmpty, search, understood, type Way } from "./search.ts";
import { moving, rowId, rowsOf, type TraceRow } from "./story.ts";
import css from "./Trace.module.css";
import { TraceDrawer } from "./TraceDrawer.tsx";

const FILTERS = ["way", "since"];
const AGAIN = 5000;
const LOG_SUBJECT = { setting: "smtp/log-subject" } as never;

export default function TraceScreen() {
  const { t } = useLingui();
  const [told, setTold] = useState<Told>({ note: "", cut: false, moving: false });
  const { state } = useLiveStatus();
  const model = useMemo(() => new ListModel<TraceRow>({ id: rowId, fetch: searching(setTold) }), []);
  const { query, onQuery, open, onOpen } = useListUrl(FILTERS);
  const subjects = useSettings().data?.values["smtp/log-subject"]?.value;
  const columns = useTraceColumns(subjects === false ? t`The setting “Log subject” is off` : "");
  const asked = !isEmpty(understood(query.search));
  const { way = "", since = "" } = query.filters;

  // A message that still moves is looked after; the queue says so at once where there is a stream.
  useTopic(told.moving ? "queue" : null, () => model.refresh());
  useEffect(() => {
    if (!told.moving || state === "live") return undefined;
    const timer = setInterval(() => document.hidden || model.refresh(), AGAIN);
    return () => clearInterval(timer);
  }, [told.moving, state, model]);

  return (
    <Page title={t`Message trace`} summary={asked && <Summary text={query.search} way={way} since={since} />}>
      <Split>
        <List
          name="trace"
          label={t`Messages and their recipients`}
          {...{ model, columns, query, onQuery, open, onOpen }}
          placeholder={t`Address, ID, IP or words`}
          autoFocus={!asked}
          filters={
            <Choices {...{ way, since }} onChange={(filters) => onQuery({ filters: { way, since, ...filters } })} />
          }
          failed={t`The logs could not be searched.`}
          empty={<Start />}
          nothing={
            <NothingFound
              text={query.search}
              note={told.note}
              since={since}
              onSearch={(words) => onQuery(words)}
              onNews={() => model.refresh()}
            />
          }
          foot={
            asked &&
            (told.cut || subjects === false) && (
              <p className={css.cut}>
                {told.cut && <Trans>The newest messages are shown. Narrow the search for others.</Trans>}{" "}
                {subjects === false && (
                  <Trans>
                    Subjects are not in the logs:{" "}
                    <Link to="/settings/smtp" search={LOG_SUBJECT} className="link">
                      the setting “Log subject”
                    </Link>{" "}
                    is off.
                  </Trans>
                )}
              </p>
            )
          }
        />
        {open !== null && (
          <TraceDrawer key={open} id={open.split(" ")[0] ?? ""} recipient={open.split(" ")[1] ?? ""} {...{ onOpen }} />
        )}
      </Split>
    </Page>
  );
}

interface Told {
  note: string;
  cut: boolean;
  moving: boolean;
}

const searching =
  (tell: (told: Told) => void) =>
  async (query: { search: string; sort: string; filters: Readonly<Record<string, string>> }, signal: AbortSignal) => {
    const { way = "", since = "" } = query.filters;
    if (isEmpty(understood(query.search))) {
      tell({ note: "", cut: false, moving: false });
      return { items: [], more: "", total: 0 };
    }
    const { messages, note, cut } = await search(query.search, way as Way, since || "1d", signal);
    tell({ note, cut, moving: messages.some(moving) });
    const items = rowsOf(messages);
    return { items, more: "", total: items.length };
  };

function Summary({ text, way, since }: { text: string; way: string; since: string }) {
  const { t } = useLingui();
  const sought = useSought();
  const within = useWithin();
  return <>{t`${sought(text, way)}, ${within(since)}`}</>;
}

/** "from or to bob@example.com" */
export function useSought(): (text: string, way: string) => string {
  const { t } = useLingui();
  return (text, way) => {
    const { ids, messageIds, addresses, hosts, words } = understood(text);
    const [one, other] = addresses;
    const id = ids[0] ?? messageIds[0];
    if (id) return id;
    if (one && other)
      return way === "from"
        ? t`from ${one} to ${other}`
        : way === "to"
          ? t`from ${other} to ${one}`
          : t`between ${one} and ${other}`;
    if (one) return way === "from" ? t`from ${one}` : way === "to" ? t`to ${one}` : t`from or to ${one}`;
    const host = hosts[0];
    return host ? t`of the host ${host}` : t`with “${words}” in the log`;
  };
}

/** "in the last 24 hours" */
export function useWithin(): (since: string) => string {
  const { t } = useLingui();
  return (since) =>
    ({
      "1h": t`the last hour`,
      "": t`the last 24 hours`,
      "7d": t`the last 7 days`,
      "30d": t`the last 30 days`,
      "365d": t`the last year`,
    })[since] ?? since;
}

function Choices({
  way,
  since,
  onChange,
}: {
  way: string;
  since: string;
  onChange: (change: { way?: string; since?: string }) => void;
}) {
  const { t } = useLingui();
  return (
    <>
      <select
        className="select"
        aria-label={t`Direction`}
        value={way}
        onChange={(event) => onChange({ way: event.target.value })}
      >
        <option value="">{t`From or to`}</option>
        <option value="from">{t`From`}</option>
        <option value="to">{t`To`}</option>
      </select>
      <select
        className="select"
        aria-label={t`Time`}
        value={since}
        onChange={(event) => onChange({ since: event.target.value })}
      >
        <option value="1h">{t`Last hour`}</option>
        <option value="">{t`Last 24 hours`}</option>
        <option value="7d">{t`Last 7 days`}</option>
        <option value="30d">{t`Last 30 days`}</option>
        <option value="365d">{t`Last year`}</option>
      </select>
    </>
  );
}

function Start() {
  const { t } = useLingui();
  return (
    <Notice icon="trace" title={<Trans>What became of a message?</Trans>}>
      <p>
        <Trans>Type or paste whatever you have into the search above:</Trans>
      </p>
      <dl className={css.samples}>
        <dt>{t`Address`}</dt>
        <dd>
          <Trans>
            <code>bob@example.com</code>, or two of them for mail between both; a domain goes, too
          </Trans>
        </dd>
        <dt>{t`Message-ID`}</dt>
        <dd>
          <code>&lt;7c1e-4f0a@example.com&gt;</code>
        </dd>
        <dt>{t`Queue ID`}</dt>
        <dd>
          <code>6b0d4a3f-013f02be</code>
        </dd>
        <dt>{t`Sending host`}</dt>
        <dd>
          <code>192.0.2.41</code>
        </dd>
        <dt>{t`Other`}</dt>
        <dd>
          <Trans>Words of the subject, part of an address, or a whole report of a failed delivery</Trans>
        </dd>
      </dl>
    </Notice>
  );
}
