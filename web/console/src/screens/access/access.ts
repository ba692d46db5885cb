/** API tokens and sessions of the console. */
import { type Page, read } from "@/api/admin.ts";
import type { Me } from "@/api/session.ts";
import type { PageRequest } from "@/parts/list/model.ts";

export interface TokenRow {
  readonly name: string;
  readonly rights: string;
  /** Who made it; empty: somebody at the machine itself. */
  readonly user: string;
  readonly expires: string | null;
  readonly last_used: string | null;
  readonly last_address: string;
  readonly expired: boolean;
  readonly created: string | null;
}

export interface SessionRow {
  readonly id: string;
  readonly user: string;
  readonly address: string;
  readonly browser: string;
  readonly began: string;
  readonly used: string;
  readonly expires: string;
  /** It is that of this browser. */
  readonly current: boolean;
}

/** Calls that give all rows at once are searched and sorted here. */
export async function all<R>(
  verb: "token-list" | "session-list",
  { search, sort }: PageRequest,
  words: (row: R) => string,
  value: (row: R, by: string) => string,
  signal: AbortSignal,
): Promise<Page<R>> {
  const { items } = await read<Page<R>>("admin", verb, {}, signal);
  const shown = ordered(items, search, sort, words, value);
  return { items: shown, more: "", total: shown.length };
}

export function ordered<R>(
  rows: readonly R[],
  search: string,
  sort: string,
  words: (row: R) => string,
  value: (row: R, by: string) => string,
): R[] {
  const wanted = search.toLowerCase().split(/\s+/).filter(Boolean);
  const matching = rows.filter((row) => wanted.every((word) => words(row).toLowerCase().includes(word)));
  if (!sort) return matching;
  const [by, way] = sort.startsWith("-") ? [sort.slice(1), -1] : [sort, 1];
  return matching.toSorted((a, b) => way * value(a, by).localeCompare(value(b, by)));
}

export type Kind = "server-write" | "server-read" | "domain" | "accounts";

/** What a token may allow that this person makes: no more than they may themselves. */
export function kindsFor(who: Me | null | undefined): readonly Kind[] {
  switch (who?.right) {
    case "server-write":
      return ["server-read", "domain", "accounts", "server-write"];
    case "server-read":
      return ["server-read"];
    case "domain":
      return ["domain", "accounts"];
    case "accounts":
      return ["accounts"];
    default:
      return [];
  }
}

/** The rights of a new token, as the call takes them. */
export function rightsOf(kind: Kind, domains: readonly string[], mail: boolean): { right: string; grant: string[] } {
  const more = mail ? ["mail-read"] : [];
  if (kind === "server-read" || kind === "server-write") return { right: kind, grant: more };
  return { right: "none", grant: [[kind, ...domains].join(" "), ...more] };
}

const SOON = 14 * 86_400_000;

export type Standing = "good" | "soon" | "expired";

export function standing({ expired, expires }: Pick<TokenRow, "expired" | "expires">, now = Date.now()): Standing {
  if (expired) return "expired";
  return expires && new Date(expires).getTime() - now < SOON ? "soon" : "good";
}

const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/Edg(?:e|A|iOS)?\/(\d+)/, "Edge"],
  [/OPR\/(\d+)/, "Opera"],
  [/(?:Firefox|FxiOS)\/(\d+)/, "Firefox"],
  [/(?:Chrome|CriOS)\/(\d+)/, "Chrome"],
  [/Version\/(\d+)[\d.]* (?:Mobile\/\S+ )?Safari/, "Safari"],
];
const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/iPhone|iPad/, "iOS"],
  [/Android/, "Android"],
  [/Windows/, "Windows"],
  [/Mac OS X|Macintosh/, "macOS"],
  [/CrOS/, "ChromeOS"],
  [/Linux/, "Linux"],
];

/** "Firefox 140, Windows"; what is none of the usual ones, in its own words. */
export function browserOf(agent: string): string {
  const named = BROWSERS.find(([pattern]) => pattern.test(agent));
  if (!named) return agent;
  const [pattern, name] = named;
  const version = pattern.exec(agent)?.[1] ?? "";
  const system = SYSTEMS.find(([each]) => each.test(agent))?.[1];
  return [`${name} ${version}`.trim(), system].filter(Boolean).join(", ");
}
