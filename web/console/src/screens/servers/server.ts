/** Other servers, as they last said they are. */
import { type Page, read } from "@/api/admin.ts";
import { entryFields, entryKeys, type Field } from "@/parts/form/fields.ts";
import type { FormState } from "@/parts/form/context.ts";
import type { Mood } from "@/parts/base/State.tsx";

export interface ServerRow {
  readonly name: string;
  /** ok, warning, failing, unreachable, untrusted, refused, unknown. */
  readonly state: string;
  readonly version: string;
  readonly waiting: number;
  readonly held: number;
  /** Health checks that are red there. */
  readonly red: number;
  readonly text: string;
  readonly attention: readonly string[];
  readonly since: string | null;
  readonly looked: string | null;
  readonly url: string;
}

export interface ShownCertificate {
  readonly fingerprint: string;
  readonly names: string;
  readonly until: string;
  readonly verified: boolean;
}

const TABLE = "servers/server";
/** What fails first. */
export const STATES = ["failing", "untrusted", "unreachable", "refused", "warning", "unknown", "ok"] as const;

export const moodOf = (state: string): Mood =>
  (({ ok: "ok", warning: "warn", unknown: "muted" }) as Record<string, Mood>)[state] ?? "error";

export const reached = (row: ServerRow): boolean => ["ok", "warning", "failing"].includes(row.state);

export const servers = async (signal?: AbortSignal): Promise<readonly ServerRow[]> =>
  (await read<Page<ServerRow>>("server", "list", {}, signal)).items;

export const pathOfServer = (name: string): string => `${TABLE}[${name}]`;

export function fieldsOf(name: string, fields: readonly Field[]): readonly Field[] {
  const table = fields.find((field) => field.path === TABLE);
  return table ? entryFields(table, name) : [];
}

/** Servers that were typed and are not saved yet. */
export function unsaved({ values, edits }: Pick<FormState, "values" | "edits">): readonly string[] {
  const known = new Set(entryKeys(TABLE, Object.keys(values)));
  return entryKeys(TABLE, Object.keys(edits)).filter((name) => !known.has(name));
}

/** Why a name cannot be that of a new server; empty: it can. */
export type NameFault = "" | "form" | "taken";

export function nameFault(name: string, state: Pick<FormState, "values" | "edits">): NameFault {
  if (!/^[A-Za-z0-9][\w.-]{0,62}$/.test(name)) return "form";
  return entryKeys(TABLE, [...Object.keys(state.values), ...Object.keys(state.edits)]).includes(name) ? "taken" : "";
}

/** Only addresses that the server takes too become links. */
export const linkOf = (url: string): string => (/^https:\/\/[A-Za-z0-9.[\]:_-]+\/?$/.test(url) ? url : "");
