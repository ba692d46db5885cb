/** What the server says is English: titles, sentences, faults. Another language puts it into its own words where it
 * comes in, by the catalog that comes with that language; decision record 0025. */
import { ApiError } from "@shared/errors.ts";

export interface Catalog {
  /** A whole text, perhaps of several sentences, as it is known; what is not stays as it is. */
  say(text: string): string;
  /** A title, or what a setting or field means: the same text, always. */
  title(text: string): string;
}

let spoken: Catalog | undefined;

/** From now on; undefined: as the server says it. */
export function speaks(catalog: Catalog | undefined): void {
  spoken = catalog;
}

export const say = (text: string): string => spoken?.say(text) ?? text;

ApiError.worded = say;

/** Names under which answers have sentences and titles; anything else is data, and so are all of the paths below. */
const SENTENCES = new Set(
  "advice cannot_undo detail error help mend note problems progress question reason result text title warnings words work".split(
    " ",
  ),
);
const DATA =
  /^log:|^\/api\/(?:admin\/(?:log|trace|config\/(?:history|show|file)|store\/|queue\/(?:show|source)|schema|settings)|session)/;

/** What came by a path, or of a topic, with its sentences in the language that is read. */
export function worded(path: string, answer: unknown): unknown {
  return spoken && !DATA.test(path) ? within(answer, say, (name) => SENTENCES.has(name)) : answer;
}

const DECLARED = new Set(["title", "description", "help", "text", "x-like", "x-unit", "x-group"]);

/** The schema, with all that is read in forms. */
export function declared<T>(schema: T): T {
  const { title } = spoken ?? {};
  return title ? (within(schema, title, (name) => DECLARED.has(name)) as T) : schema;
}

function within(value: unknown, put: (text: string) => string, read: (name: string) => boolean, now = false): unknown {
  if (typeof value === "string") return now ? put(value) : value;
  if (Array.isArray(value)) return value.map((each) => within(each, put, read, now));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, within(each, put, read, read(name))]));
}
