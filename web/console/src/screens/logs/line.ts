/** Lines of logs: `[24/Nov/2026 17:57:14] Title: Key: value, Key: value`, and what is in them. */

export const LOGS = ["mail", "security", "warning", "error", "debug", "config", "operations", "spam"] as const;
export type LogName = (typeof LOGS)[number];

export interface LogLine {
  /** Rising within one view; names the row. */
  readonly key: number;
  readonly log: string;
  /** RFC 3339; empty for lines whose time cannot be read. */
  readonly at: string;
  /** With its time, without the name of the log. */
  readonly text: string;
  /** So many lines were left out here: more came than anybody can read. */
  readonly skipped?: number;
}

export interface Parsed {
  readonly time: string;
  readonly title: string;
  readonly rest: string;
}

const LINE = /^\[([^\]]{5,40})\] (?:([^:{}]{1,60}): )?(.*)$/s;

export function parsed(text: string): Parsed {
  const match = LINE.exec(text);
  if (!match) return { time: "", title: "", rest: text };
  return { time: match[1] ?? "", title: match[2] ?? "", rest: match[3] ?? "" };
}

/** Names and values of a line; the subject is last and may hold anything. */
export function fieldsOf(rest: string): readonly (readonly [string, string])[] {
  const fields: [string, string][] = [];
  for (const part of rest.split(/, (?=[A-Z][A-Za-z-]{1,24}: )/)) {
    const at = part.indexOf(": ");
    if (at > 0) fields.push([part.slice(0, at), part.slice(at + 2)]);
    else if (fields.length === 0 && part) fields.push(["", part]);
  }
  return fields;
}

/** `mail: [24/Nov/2026 ...`: lines of several logs begin with the name of theirs. */
export function split(line: string, log: string): { log: string; text: string } {
  const match = /^([a-z]+): (\[.*)$/s.exec(line);
  return match && (LOGS as readonly string[]).includes(match[1] ?? "")
    ? { log: match[1] ?? log, text: match[2] ?? line }
    : { log, text: line };
}

export type Span = { readonly text: string; readonly kind: "plain" | "id" | "mark" | "rule"; readonly colour?: string };

export interface Rule {
  readonly text: string;
  /** A token: ok, warn, error, info, accent. */
  readonly colour: string;
}

const ID = /\b[0-9a-f]{8}-[0-9a-f]{8}(?:\.[0-9a-z]+)*\b/gi;
const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
const MOST_SPANS = 200;

/** A text in pieces: queue ids, what was searched for, what a rule colours. */
export function spans(text: string, sought: RegExp | null, rules: readonly Rule[]): readonly Span[] {
  const marks: { from: number; to: number; kind: Span["kind"]; colour?: string }[] = [];
  const note = (pattern: RegExp, kind: Span["kind"], colour?: string) => {
    for (const match of text.matchAll(pattern)) {
      if (!match[0] || marks.length > MOST_SPANS) return;
      marks.push({ from: match.index, to: match.index + match[0].length, kind, ...(colour ? { colour } : {}) });
    }
  };
  note(ID, "id");
  if (sought) note(sought, "mark");
  for (const rule of rules) if (rule.text) note(new RegExp(escaped(rule.text), "gi"), "rule", rule.colour);
  marks.sort((a, b) => a.from - b.from || b.to - a.to);
  const made: Span[] = [];
  let at = 0;
  for (const { from, to, kind, colour } of marks) {
    if (from < at) continue;
    if (from > at) made.push({ text: text.slice(at, from), kind: "plain" });
    made.push({ text: text.slice(from, to), kind, ...(colour ? { colour } : {}) });
    at = to;
  }
  if (at < text.length) made.push({ text: text.slice(at), kind: "plain" });
  return made;
}

/** A time has colons, too, but not that many, nor two in a row. */
const IP = /^(?:\d{1,3}(?:\.\d{1,3}){3}|(?=.*::|(?:[^:]+:){7})[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})$/i;

/** What the server is asked for a search: `/regex/`, an id, an address, a host, or part of the line. */
export function filterOf(search: string): Record<string, string> {
  const text = search.trim();
  if (!text) return {};
  const regex = /^\/(.+)\/i?$/.exec(text)?.[1];
  if (regex) return { regex };
  if (/^[0-9a-f]{8}-[0-9a-f]{8}(\.[0-9a-z]+)*$/i.test(text) || /^<[^\s<>]+@[^\s<>]+>$/.test(text)) return { id: text };
  if (/^[^\s@<>]+@[^\s@<>]+\.[a-z0-9-]+$/i.test(text)) return { address: text };
  if (IP.test(text)) return { host: text };
  return { text };
}

/** As `filterOf`, for marking and for lines that come live. Null: everything fits, or the expression is not ours. */
export function pattern(search: string): RegExp | null {
  const filter = filterOf(search);
  const words = filter.text ?? filter.id ?? filter.address ?? filter.host;
  try {
    if (filter.regex) return new RegExp(filter.regex, "gi");
    return words ? new RegExp(escaped(words), "gi") : null;
  } catch {
    return null;
  }
}

/** A short name of a line for links to it. FNV-1a. */
export function nameOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
