/** What `Ctrl K` finds: screens, settings, actions at once; users and domains from the server a moment later. */
import { useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { type Page, read } from "@/api/admin.ts";
import { useSchema } from "@/api/schema.ts";
import { me, mayChange, reaches, signOut } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import type { IconName } from "@/parts/base/icons.ts";
import { settingsOf } from "@/parts/form/fields.ts";
import { pageOf, pathOf, screenIdOf } from "@/screens/settings/pages.ts";
import { isEmpty, understood } from "@/screens/trace/search.ts";
import { setDensity, switchTheme } from "../preferences.ts";
import { screenOf, visibleTo } from "../screens.ts";
import { recognise, score } from "./find.ts";
import { useGuideEntries } from "./guideEntries.ts";

export interface Entry {
  readonly id: string;
  readonly icon: IconName;
  readonly title: string;
  /** Where it is, or what it is. */
  readonly note: string;
  readonly rank: number;
  readonly to?: { path: string; search?: Record<string, string> };
  readonly act?: () => void;
}

const MOST = 40;
const FEW = 8;

/** All that matches, the best first. */
export function useEntries(text: string): { entries: readonly Entry[]; searching: boolean } {
  const fixed = useFixed();
  const settings = useSettingEntries();
  const guide = useGuideEntries();
  const pasted = usePasted(text);
  const { entries: people, searching } = usePeople(text);
  const last = useLast(text);
  const entries = useMemo(() => {
    if (!text.trim()) return fixed;
    const ranked = [
      ...[...fixed, ...settings].map((entry) => ({
        ...entry,
        rank: score(text, entry.title, entry.note, entry.id) + (entry.rank > 0 ? entry.rank : 0) * 0.1,
      })),
      // Headings alone, behind the settings and screens that are called so.
      ...guide.map((entry) => ({ ...entry, rank: score(text, entry.title) * 0.6 })),
    ]
      .filter((entry) => entry.rank >= 1)
      .toSorted((a, b) => b.rank - a.rank);
    return [...pasted, ...ranked.slice(0, 3), ...people, ...ranked.slice(3), ...last].slice(0, MOST);
  }, [text, fixed, settings, guide, pasted, people, last]);
  return { entries, searching };
}

function useFixed(): readonly Entry[] {
  const { t, i18n } = useLingui();
  const who = useStore(me);
  return useMemo(() => {
    const screens = visibleTo(who).map(
      (screen): Entry => ({
        id: `screen ${screen.id}`,
        icon: screen.icon,
        title: i18n._(screen.title),
        note: screen.words ? i18n._(screen.words) : t`Screen`,
        rank: 2,
        to: { path: screen.path },
      }),
    );
    const actions: Entry[] = [
      { id: "theme", icon: "moon", title: t`Switch light and dark`, note: t`Action`, rank: 1, act: switchTheme },
      {
        id: "density",
        icon: "rows",
        title: t`Other density of rows`,
        note: t`Action`,
        rank: 1,
        act: () => setDensity(),
      },
      { id: "sign out", icon: "signout", title: t`Sign out`, note: t`Action`, rank: 1, act: () => void signOut() },
    ];
    const adds = [
      { noun: "user", title: t`Add user`, path: "/users", may: mayChange(who, "accounts") },
      { noun: "group", title: t`Add group`, path: "/groups", may: mayChange(who, "accounts") },
      { noun: "alias", title: t`Add alias`, path: "/aliases", may: mayChange(who, "accounts") },
      { noun: "domain", title: t`Add domain`, path: "/domains", may: mayChange(who, "server") },
    ];
    for (const { noun, title, path } of adds.filter(({ may }) => may))
      actions.unshift({
        id: `add ${noun}`,
        icon: "plus",
        title,
        note: t`Action`,
        rank: 1,
        to: { path, search: { add: "1" } },
      });
    if (reaches(who, "accounts"))
      actions.push({
        id: "check address",
        icon: "branch",
        title: t`Check an address`,
        note: t`Action: where it leads, step by step`,
        rank: 1,
        to: { path: "/aliases", search: { check: "?" } },
      });
    return [...screens, ...actions];
  }, [who, i18n, t]);
}

function useSettingEntries(): readonly Entry[] {
  const who = useStore(me);
  const { data } = useSchema();
  const { i18n } = useLingui();
  return useMemo(() => {
    if (!data || !reaches(who, "server-read")) return [];
    return settingsOf(data.settings).map((field): Entry => {
      const page = pageOf(field.path);
      const screen = screenOf(screenIdOf(page));
      return {
        id: field.path,
        icon: screen?.icon ?? "settings",
        title: field.title,
        note: `${screen ? `${i18n._(screen.title)} · ` : ""}${field.path} · ${field.help}`,
        rank: 0,
        to: { path: pathOf(page), search: { setting: field.path } },
      };
    });
  }, [data, who, i18n]);
}

function usePasted(text: string): readonly Entry[] {
  const { t } = useLingui();
  const who = useStore(me);
  return useMemo(() => {
    const word = text.trim();
    const kind = recognise(word);
    const entries: Entry[] = [];
    const base = { rank: 100, title: word };
    // "from bob@example.com to anna@example.org": the trace takes what people write.
    if (!kind && word.includes("@") && !isEmpty(understood(word)) && reaches(who, "server-read")) {
      const note = t`Trace what became of it`;
      entries.push({ ...base, id: "trace", icon: "trace", note, to: { path: "/trace", search: { q: word } } });
    }
    if (kind && screenOf("trace") && reaches(who, "server-read")) {
      const note = {
        address: t`Trace mail from and to this address`,
        "message-id": t`Trace this message`,
        "queue-id": t`Trace this message`,
        ip: t`Trace what this host sent`,
      }[kind];
      entries.push({ ...base, id: "trace", icon: "trace", note, to: { path: "/trace", search: { q: word } } });
    }
    if (kind === "address" && reaches(who, "accounts")) {
      entries.push({
        ...base,
        id: "where it leads",
        icon: "branch",
        note: t`Check where it leads`,
        to: { path: "/aliases", search: { check: word } },
      });
    }
    if (kind === "queue-id" && reaches(who, "server-read")) {
      entries.push({
        ...base,
        id: "in queue",
        icon: "queue",
        note: t`Open in the queue`,
        to: { path: "/queue", search: { open: word } },
      });
    }
    if ((kind === "address" || kind === "ip" || kind === "message-id") && reaches(who, "server-read")) {
      entries.push({
        ...base,
        id: "queue",
        icon: "queue",
        note: t`Find in the queue`,
        to: { path: "/queue", search: { q: word } },
      });
    }
    return entries;
  }, [text, who, t]);
}

/** Where nothing else is called so: words of a subject, or whatever the logs may say. */
function useLast(text: string): readonly Entry[] {
  const { t } = useLingui();
  const who = useStore(me);
  return useMemo(() => {
    const word = text.trim();
    if (word.length < 3 || word.includes("@") || recognise(word) || !reaches(who, "server-read")) return [];
    const note = t`Trace messages with these words in the logs`;
    return [{ id: "words", icon: "trace", title: word, note, rank: 0, to: { path: "/trace", search: { q: word } } }];
  }, [text, who, t]);
}

interface Named {
  address?: string;
  name?: string;
  group?: string;
  alias?: string;
  full_name?: string;
  description?: string;
}

function usePeople(text: string): { entries: readonly Entry[]; searching: boolean } {
  const { t } = useLingui();
  const who = useStore(me);
  const word = text.trim();
  const { data, isFetching } = useQuery({
    queryKey: ["palette", word],
    enabled: word.length >= 2 && word.length < 100 && reaches(who, "accounts"),
    queryFn: async ({ signal }) => {
      const query = { search: word, limit: FEW };
      const list = (noun: string) => read<Page<Named>>(noun, "list", query, signal).then((page) => page.items);
      const [users, groups, aliases, domains] = await Promise.all([
        list("user"),
        ...["group", "alias", "domain"].map((noun) => list(noun).catch((): readonly Named[] => [])),
      ]);
      return { users, groups: groups ?? [], aliases: aliases ?? [], domains: domains ?? [] };
    },
    placeholderData: (before) => before,
    retry: false,
  });
  const entries = useMemo(() => {
    if (!data || word.length < 2) return [];
    const users = data.users.slice(0, FEW).map(
      (user): Entry => ({
        id: `user ${user.address}`,
        icon: "user",
        title: user.full_name || (user.address ?? ""),
        note: user.full_name ? (user.address ?? "") : t`User`,
        rank: 5,
        to: { path: "/users", search: { open: user.address ?? "" } },
      }),
    );
    const others = [
      { noun: "group", rows: data.groups, icon: "users" as const, path: "/groups", note: t`Group` },
      { noun: "alias", rows: data.aliases, icon: "at" as const, path: "/aliases", note: t`Alias` },
      { noun: "domain", rows: data.domains, icon: "globe" as const, path: "/domains", note: t`Domain` },
    ].flatMap(({ noun, rows, icon, path, note }) =>
      rows.slice(0, 3).map((row): Entry => {
        const title = row.group ?? row.alias ?? row.name ?? "";
        return { id: `${noun} ${title}`, icon, title, note, rank: 5, to: { path, search: { open: title } } };
      }),
    );
    return [...users, ...others];
  }, [data, word, t]);
  return { entries, searching: isFetching };
}
