/** What a change does to the file, and what others did meanwhile. */
import type { Difference, Edited } from "@shared/errors.ts";
import type { Values } from "@/api/settings.ts";
import { type Edits, same } from "./drafts.ts";
import type { Field } from "./fields.ts";

const escape = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** A value as the file, the command line and people write it. */
export function written(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (value === true) return "yes";
  if (value === false) return "no";
  if (Array.isArray(value)) return value.map(written).join(", ");
  return String(value);
}

/** The lines that a setting has in mailserver.cfg; none for a default. */
export function xml(field: Field, value: unknown): string[] {
  if (value === null || value === undefined) return [];
  if (field.schema["x-secret"]) return [`<${field.name}>********</${field.name}>`];
  if (!Array.isArray(value)) return [`<${field.name}>${escape(written(value))}</${field.name}>`];
  const item = field.schema["x-item"] ?? field.name;
  if (!value.length) return [`<${item}/>`];
  return value.map((each) => `<${item}>${escape(written(each))}</${item}>`);
}

/** As one would say it to the command line. */
export function command(path: string, value: unknown): string {
  if (value === null || value === undefined) return `whimbrel config unset ${path}`;
  const quote = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
  const values = Array.isArray(value) ? value : [value];
  return `whimbrel config set ${quote(path)} ${values.map((each) => quote(written(each))).join(" ")}`;
}

export interface Conflict {
  readonly path: string;
  readonly base: unknown;
  readonly ours: unknown;
  readonly theirs: unknown;
}

/** Settings that we and somebody else changed, each to something else. */
export function conflicts(edits: Edits, base: Values, theirs: Values): Conflict[] {
  return Object.entries(edits)
    .map(([path, ours]) => ({ path, base: base[path]?.value, ours, theirs: theirs[path]?.value }))
    .filter((each) => !same(each.base, each.theirs) && !same(each.ours, each.theirs));
}

/** The same, as the server tells it of a file that was edited. */
export function fromServer(difference: Difference): Conflict[] {
  return Object.keys({ ...difference.ours, ...difference.theirs }).map((path) => ({
    path,
    base: difference.base[path],
    ours: difference.ours[path],
    theirs: difference.theirs[path],
  }));
}

/** The same, of a file on disk that is not in use yet. What we did not touch is as it was. */
export function fromFile(edited: readonly Edited[], edits: Edits): Conflict[] {
  return edited.map(({ path, in_use, on_disk }) => ({
    path,
    base: in_use,
    ours: path in edits ? edits[path] : in_use,
    theirs: on_disk,
  }));
}
