/** A change of settings or records as the history has it. */
import { type Page, read } from "@/api/admin.ts";
import type { PageRequest } from "@/parts/list/model.ts";
import { pageOf, pathOf } from "@/screens/settings/pages.ts";

/** One value that was changed. */
export interface ChangeRow {
  readonly at: string;
  readonly user: string;
  /** setting, domain, user, alias, group; records: so many that were not named. */
  readonly kind: string;
  /** changed, added, removed, moved. */
  readonly action: string;
  readonly subject: string;
  readonly field: string;
  readonly old: string;
  readonly new: string;
  /** Empty for what an earlier release wrote. */
  readonly id: string;
  readonly can_undo: boolean;
  readonly origin: string;
}

/** What one call changed: its first value, and how many more. */
export interface Change extends ChangeRow {
  readonly more: number;
  /** By which the list knows it. */
  readonly key: string;
}

export interface ChangedValue {
  readonly kind: string;
  readonly action: string;
  readonly subject: string;
  readonly field: string;
  readonly old: string;
  readonly new: string;
  readonly now: string;
  /** Why not; empty: it can. */
  readonly cannot_undo: string;
}

export interface ChangeView {
  readonly id: string;
  readonly at: string;
  readonly user: string;
  readonly origin: string;
  readonly call: string;
  readonly can_undo: boolean;
  readonly values: readonly ChangedValue[];
}

export const FILTERS = ["last", "user", "setting", "record"];

/** What the filters in the address ask of the server. */
export function asked({ search, filters, after, limit }: PageRequest): Record<string, string | number> {
  const { last = "", user = "", setting = "", record = "" } = filters;
  return { text: search, since: last, user, setting, record, after, limit };
}

export async function changes(request: PageRequest, signal: AbortSignal): Promise<Page<Change>> {
  const page = await read<Page<ChangeRow>>("change", "list", asked(request), signal);
  const items = grouped(page.items);
  // Lines of a log are not counted: what the server does not say is not known.
  return { items, more: page.more };
}

/** The values of one call are one row. */
export function grouped(rows: readonly ChangeRow[]): Change[] {
  const made: Change[] = [];
  const known = new Map<string, number>();
  for (const [at, row] of rows.entries()) {
    const place = row.id ? known.get(row.id) : undefined;
    const before = place === undefined ? undefined : made[place];
    if (place !== undefined && before) {
      made[place] = { ...before, more: before.more + 1, can_undo: before.can_undo && row.can_undo };
      continue;
    }
    if (row.id) known.set(row.id, made.length);
    made.push({ ...row, more: 0, key: row.id || `${row.at} ${row.subject} ${row.field} ${at}` });
  }
  return made;
}

const SCREENS: Record<string, string> = { user: "users", domain: "domains", alias: "aliases", group: "groups" };

/** Where in the console that stands; null: nowhere. `exists` says which screens there are. */
export function placeOf(
  value: { kind: string; subject: string; action?: string },
  exists: (id: string) => boolean,
): { to: string; search: Record<string, string> } | null {
  const { kind, subject, action } = value;
  if (kind === "setting") return { to: pathOf(pageOf(subject)), search: { setting: subject } };
  const screen = SCREENS[kind];
  if (!screen || !exists(screen) || action === "removed") return null;
  return { to: `/${screen}`, search: { open: subject } };
}

/** "alice@example.org forward-to" */
export const nameOf = ({ subject, field }: { subject: string; field: string }): string =>
  [subject, field].filter(Boolean).join(" ");

/** Somebody at the machine itself: on its command line, with or without a server. */
export const isLocal = (user: string): boolean => user === "local" || user.startsWith("local ");

/** The values of a record that was added or removed, one a line; what is empty is left out. */
export function valuesOf(text: string): string[] {
  return text.split("; ").filter((each) => each && !each.endsWith("="));
}
