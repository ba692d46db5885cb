/** Nothing was found: what was searched, how far back the logs reach, and where to look next. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { type Page, read } from "@/api/admin.ts";
import { useTopic } from "@/api/live.ts";
import { toast } from "@/api/operations.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { State } from "@/parts/base/State.tsx";
import type { ListQuery } from "@/parts/list/model.ts";
import { forTheOther } from "./asText.ts";
import { understood } from "./search.ts";
import css from "./Trace.module.css";
import { useSought, useWithin } from "./TraceScreen.tsx";

interface Props {
  text: string;
  /** The server's own words. */
  note: string;
  since: string;
  onSearch: (change: Partial<ListQuery>) => void;
  /** A message came that may be it. */
  onNews: () => void;
}

export function NothingFound({ text, note, since, onSearch, onNews }: Props) {
  const { t } = useLingui();
  const sought = useSought()(text, "");
  const within = useWithin()(since);
  const reach = note.replace(/^[^;]*;\s*(.)/, (_, first: string) => first.toUpperCase());
  const { addresses, hosts } = understood(text);
  // Whoever waits for a message has the page open: the log says when one comes.
  useTopic<{ text: string }>(addresses.length ? "log:mail" : null, (line) => {
    const said = line.text.toLowerCase();
    if (addresses.every((each) => said.includes(each))) onNews();
  });
  const copy = async () => {
    await navigator.clipboard.writeText(forTheOther(addresses, within));
    toast(t`Copied: what the other side needs to look for it, without our own names`);
  };
  return (
    <Notice
      icon="search"
      title={
        <Trans>
          No message {sought} in {within}.
        </Trans>
      }
      action={
        <>
          {since !== "365d" && (
            <Button icon="history" onClick={() => onSearch({ filters: { since: since === "30d" ? "365d" : "30d" } })}>
              {since === "30d" ? <Trans>Search the last year</Trans> : <Trans>Search the last 30 days</Trans>}
            </Button>
          )}
          {addresses.length > 0 && (
            <Button icon="copy" onClick={() => void copy()}>
              <Trans>Copy for the other side</Trans>
            </Button>
          )}
        </>
      }
    >
      {reach && <p className={css.reach}>{reach}</p>}
      {addresses.length > 0 && (
        <p className={css.live}>
          <i className="dot" />
          <Trans>Watched: as soon as one comes, it stands here</Trans>
        </p>
      )}
      {addresses.map((address) => address.includes("@") && <Leads key={address} address={address} />)}
      {addresses[0]?.includes("@") && <Alike address={addresses[0]} onSearch={onSearch} />}
      <Mentions word={addresses[0] ?? hosts[0] ?? ""} since={since} />
    </Notice>
  );
}

interface Checked {
  steps: readonly { address: string; is_a: string; leads_to: readonly string[] }[];
  mailboxes: readonly string[];
  remote: readonly string[];
  problems: readonly string[];
}

/** What the server would do with mail to it now. */
function Leads({ address }: { address: string }) {
  const { t } = useLingui();
  const { data } = useQuery({
    queryKey: ["alias", "check", address],
    queryFn: ({ signal }) => read<Checked>("alias", "check", { address }, signal),
    retry: false,
  });
  if (!data) return null;
  const to = [...data.mailboxes, ...data.remote].join(", ");
  return (
    <p>
      {data.problems.length ? (
        <State mood="error">{t`${address} takes no mail: ${data.problems.join("; ")}`}</State>
      ) : data.remote.includes(address) ? null : (
        <State mood="ok">{to === address ? t`${address} takes mail` : t`${address} leads to ${to}`}</State>
      )}
    </p>
  );
}

/** Users, aliases and groups that are called alike: a slip of the pen is the likeliest reason. */
function Alike({ address, onSearch }: { address: string; onSearch: (change: Partial<ListQuery>) => void }) {
  const stem = (address.split("@")[0] ?? "").slice(0, 3);
  const { data } = useQuery({
    queryKey: ["trace", "alike", stem],
    enabled: stem.length > 1,
    queryFn: async ({ signal }) => {
      const query = { search: stem, limit: 6 };
      const [users, ...others] = await Promise.all([
        read<Page<{ address: string }>>("user", "list", query, signal),
        ...["alias", "group"].map((noun) =>
          read<Page<{ address?: string }>>(noun, "list", query, signal).catch(() => ({ items: [] })),
        ),
      ]);
      return [...users.items, ...others.flatMap(({ items }) => items)].map((each) => each.address ?? "");
    },
    retry: false,
  });
  const others = (data ?? []).filter((each) => each && each !== address).slice(0, 6);
  if (!others.length) return null;
  return (
    <p>
      <Trans>Called alike:</Trans>{" "}
      {others.map((each) => (
        <button key={each} type="button" className={`link ${css.alike}`} onClick={() => onSearch({ search: each })}>
          {each}
        </button>
      ))}
    </p>
  );
}

/** The last lines of any log that name it: connections that ended before there was a message. */
function Mentions({ word, since }: { word: string; since: string }) {
  const { t } = useLingui();
  const domain = word.includes("@") ? (word.split("@")[1] ?? "") : word;
  const { data } = useQuery({
    queryKey: ["trace", "mentions", domain, since],
    enabled: domain !== "",
    queryFn: ({ signal }) =>
      read<Page<{ text: string }>>(
        "log",
        "search",
        { text: domain, log: ["security", "warning", "mail", "error"], since: since || "1d", newest: true, limit: 6 },
        signal,
      ),
    retry: false,
  });
  if (!data) return null;
  if (!data.items.length) return <p>{t`No other line of the logs names ${domain} in this time.`}</p>;
  return (
    <>
      <p className={css.reach}>{t`What the logs say of ${domain}:`}</p>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls */}
      <pre className={css.lines} tabIndex={0}>
        {data.items.map((line) => line.text).join("\n")}
      </pre>
      <Link to="/logs" search={{ log: "all", q: domain } as never} className="link">
        <Trans>All lines in the logs</Trans>
      </Link>
    </>
  );
}
