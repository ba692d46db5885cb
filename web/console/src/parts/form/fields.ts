/** From a schema to fields: what a form draws, in its order. No code here knows any setting by name. */
import type { RecordSchema, Schema } from "@/api/schema.ts";

export type Widget =
  | "switch"
  | "choice"
  | "number"
  | "text"
  | "size"
  | "duration"
  | "secret"
  | "long"
  | "names"
  | "table"
  | "reference"
  | "references";

export interface Field {
  /** Of a setting its path, of a record the name of the parameter: the key of its value. */
  readonly path: string;
  readonly name: string;
  readonly title: string;
  readonly help: string;
  readonly schema: Schema;
  readonly widget: Widget;
  /** Beside which other fields stand, by their names: for conditions. */
  readonly base: string;
}

export interface Group {
  readonly path: string;
  readonly title: string;
  readonly help: string;
  readonly fields: readonly Field[];
}

/** Each format that a schema may use, and what draws it. A format that is not here fails the tests of the build. */
export const FORMATS: Record<string, Widget> = {
  password: "secret",
  size: "size",
  duration: "duration",
  score: "number",
  host: "text",
  hostport: "text",
  ip: "text",
  cidr: "text",
  url: "text",
  clients: "text",
  times: "text",
  email: "text",
  path: "text",
  regex: "text",
  cron: "text",
  "local-part": "text",
  "clean-out": "text",
  grant: "text",
  sieve: "long",
  html: "long",
};

/** Without its null: `anyOf [number, null]` is a number that may be missing. */
export function bare(schema: Schema): Schema {
  if (!schema.anyOf) return schema;
  const { anyOf, ...rest } = schema;
  return { ...anyOf.find((each) => (each.type as string) !== "null"), ...rest };
}

export function widgetOf(declared: Schema): Widget {
  const schema = bare(declared);
  if (schema.type === "array") {
    if (schema.items?.type === "object") return "table";
    return schema["x-ref"] || schema.items?.["x-ref"] ? "references" : "names";
  }
  if (schema["x-secret"]) return "secret";
  if (schema["x-ref"]) return "reference";
  if (schema.enum) return "choice";
  if (schema.type === "boolean") return "switch";
  if (schema.format !== undefined) return FORMATS[schema.format] ?? "text";
  if (schema.type === "integer" || schema.type === "number") return "number";
  return "text";
}

function field(path: string, name: string, schema: Schema): Field {
  return {
    path,
    name,
    title: schema.title ?? name,
    help: schema.description ?? "",
    schema,
    widget: widgetOf(schema),
    base: path.slice(0, Math.max(0, path.length - name.length)),
  };
}

const ordered = (fields: Field[]): Field[] =>
  fields
    .map((each, at) => ({ each, at, order: each.schema["x-order"] ?? 1000 }))
    .toSorted((a, b) => a.order - b.order || a.at - b.at)
    .map(({ each }) => each);

/** The sections of settings below `schema`, each with the fields that stand in it directly. */
export function groupsOf(schema: Schema, path = ""): Group[] {
  const fields: Field[] = [];
  const below: Group[] = [];
  for (const [name, part] of Object.entries(schema.properties ?? {})) {
    const at = path ? `${path}/${name}` : name;
    if (part.type === "object") below.push(...groupsOf(part, at));
    else fields.push(field(at, name, part));
  }
  const own = { path, title: schema.title ?? path, help: schema.description ?? "", fields: ordered(fields) };
  return fields.length ? [own, ...below] : below;
}

/** All settings. */
export const settingsOf = (schema: Schema): Field[] => groupsOf(schema).flatMap((group) => group.fields);

/** The first sentence says what a part is; what follows helps. */
function introduced(description: string): { title: string; help: string } {
  const [title = "", ...rest] = description.split(/\.(?: |$)/);
  return { title, help: rest.join(". ").trim() };
}

/** The parts of a kind of record: fields that `set` changes. What has a verb of its own is drawn by its screen. */
export function recordGroups(record: RecordSchema): Group[] {
  return record.parts
    .map((part) => ({
      path: part.name,
      ...introduced(part.description),
      fields: part.fields
        .filter((each) => each["changed-by"] !== "own-call")
        .map((each) => field(each.parameter, each.parameter, each)),
    }))
    .filter((group) => group.fields.length);
}

/** Fields of one entry of a table: `delivery/route[example.org]/host`. */
export function entryFields(table: Field, key: string): Field[] {
  const base = `${table.path}[${key}]/`;
  return Object.entries(table.schema.items?.properties ?? {}).map(([name, schema]) =>
    field(`${base}${name}`, name, schema),
  );
}

/** The keys of a table's entries, in the order of the file, of what `values` has. */
export function entryKeys(path: string, paths: Iterable<string>): string[] {
  const head = `${path}[`;
  const keys = new Set<string>();
  for (const each of paths) {
    if (!each.startsWith(head)) continue;
    const end = each.indexOf("]", head.length);
    if (end > 0) keys.add(each.slice(head.length, end));
  }
  return [...keys];
}

/** What would be so, and what has to be typed for it, if `value` were saved in the place of `before`. */
export function danger(schema: Schema, value: unknown, before: unknown): Schema["x-danger"] {
  const declared = schema["x-danger"];
  const had = many(before);
  const gained = many(value).filter((each) => !had.includes(each));
  if (!declared || (!gained.length && many(value).length === had.length)) return undefined;
  return !declared.values.length || gained.some((each) => declared.values.includes(each)) ? declared : undefined;
}

const many = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value]).map((each) =>
    each === true ? "yes" : each === false ? "no" : String(each),
  );

/** Whether `x-show-if` or `x-enable-if` holds. `name`: it has a value; `name = a, b`: one of these; `name != a`: another. */
export function holds(condition: string | undefined, value: (name: string) => unknown): boolean {
  if (!condition) return true;
  const match = /^(!?)\s*([\w./-]+)\s*(?:(!?=)\s*(.*))?$/.exec(condition.trim());
  if (!match) return true;
  const [, not, name = "", compare, list = ""] = match;
  const now = value(name);
  let so: boolean;
  if (compare) {
    const among = list.split(",").map((each) => each.trim());
    so = among.includes(now === true ? "yes" : now === false ? "no" : String(now ?? "")) === (compare === "=");
  } else {
    so = Array.isArray(now)
      ? now.length > 0
      : now !== null && now !== undefined && now !== "" && now !== false && now !== 0;
  }
  return not ? !so : so;
}
