/** From the English of the server to another language, by a catalog of texts in which `{name}` stands for a value.
 *
 * The sentence comes with its values put in, from a check of a minute ago or a log of last year. The text that has most
 * letters in common with it is the one that it was made of; its values are put into the translation, each put into
 * words itself if it is a text of the server. What was joined (`Disk: It is full. Delete something.`) is taken apart
 * where sentences end. */
import type { Catalog } from "@/api/said.ts";

interface Template {
  /** What stands before, between and behind the values. */
  readonly parts: readonly string[];
  readonly names: readonly string[];
  readonly said: string;
  /** Letters that are not values: how sure one is. */
  readonly letters: number;
  readonly text: string;
}

const PLACE = /\{(\w+)\}/g;
/** Fewer letters fit too much: all their values have to be known. */
const SURE = 6;
const LONGEST = 2000;
/** Texts that are looked for in one: a sentence needs some, a hostile one would need all there are. */
const TRIES = 60;
const REMEMBERED = 2000;

export function catalogOf(texts: Readonly<Record<string, string>>, figure: (text: string) => string): Catalog {
  const known = new Map(Object.entries(texts));
  const templates = [...known]
    .filter(([text]) => text.search(PLACE) >= 0)
    .map(([text, said]) => templateOf(text, said))
    // Of two that say the same the one with a full stop: `{a} is held by {b}.` has no stop in its value.
    .toSorted((a, b) => b.letters - a.letters || b.text.length - a.text.length);
  /** What is hung on the end of a value: ` and 3 more`. */
  const tails = templates.filter(({ text }) => /^[ ,;]\s?\w/.test(text));
  const memory = new Map<string, string | undefined>();

  let tries = 0;

  /** Undefined: unknown. */
  function whole(text: string): string | undefined {
    if (memory.has(text)) return memory.get(text);
    if (++tries > TRIES) return undefined;
    const made = known.get(text) ?? filled(text);
    if (memory.size >= REMEMBERED) memory.clear();
    memory.set(text, made);
    return made;
  }

  function filled(text: string): string | undefined {
    for (const { parts, names, said, letters, text: from } of templates) {
      const values = valuesOf(text, parts);
      if (!values) continue;
      // Words that have to be typed as they are.
      if (said === from) return text;
      const sure = letters >= SURE || values.every((each) => !/[a-z]{2}/i.test(each) || value(each) !== each);
      if (!sure) continue;
      const put = new Map(names.map((name, at) => [name, value(values[at] ?? "")]));
      return said.replace(PLACE, (place, name: string) => put.get(name) ?? place);
    }
    return undefined;
  }

  function value(text: string): string {
    // A name may be a word of ours by chance: only sentences and phrases are.
    const phrase = /^[a-z]/.test(text) || text.includes(" ");
    const made = phrase ? (whole(text) ?? joined(text)) : undefined;
    if (made !== undefined) return made;
    if (phrase && text.endsWith(".")) return `${value(text.slice(0, -1))}.`;
    for (const { parts, names, said } of tails) {
      const [head, ...values] = valuesOf(text, ["", ...parts]) ?? [];
      if (!head) continue;
      const put = new Map(names.map((name, at) => [name, value(values[at] ?? "")]));
      return value(head) + said.replace(PLACE, (place, name: string) => put.get(name) ?? place);
    }
    return figure(text);
  }

  /** Of several sentences those that are known. */
  function joined(text: string): string | undefined {
    const ends = [...text.matchAll(/([.:;,]?)(?: |\n)/g)].filter(([all, mark]) => mark || all === "\n");
    for (const end of ends.toReversed()) {
      const after = end.index + end[0].length;
      const stop = end[1] === "." ? end.index + 1 : end.index;
      const first = whole(text.slice(0, stop));
      // `; self-check 2 hours ago` has its mark with it.
      const hung = first !== undefined && end[1] === ";" ? whole(text.slice(stop)) : undefined;
      if (hung !== undefined) return `${first}${hung}`;
      if (first !== undefined) return first + text.slice(stop, after) + (said(text.slice(after)) ?? text.slice(after));
    }
    for (const end of ends) {
      const after = end.index + end[0].length;
      const rest = whole(text.slice(after));
      if (rest !== undefined) return text.slice(0, after) + rest;
    }
    return undefined;
  }

  function said(text: string): string | undefined {
    return whole(text) ?? joined(text) ?? stopped(text);
  }

  /** `1 folder is in order.` is a phrase that became a sentence. */
  function stopped(text: string): string | undefined {
    const phrase = text.endsWith(".") ? whole(text.slice(0, -1)) : undefined;
    return phrase === undefined ? undefined : `${phrase}.`;
  }

  return {
    say(text) {
      tries = 0;
      return text.length > LONGEST || !text.trim() ? text : (said(text) ?? text);
    },
    title: (text) => known.get(text) ?? text,
  };
}

function templateOf(text: string, said: string): Template {
  const names = [...text.matchAll(PLACE)].map((match) => match[1] ?? "");
  const letters = text.replace(PLACE, "").replace(/[^a-z]/gi, "").length;
  return { parts: text.split(/\{\w+\}/), names, said, letters, text };
}

/** What stands between these parts, each at its first place; undefined: they are not all there. No regular expression:
 * a text is of any length, and what a stranger sent may be in it. */
function valuesOf(text: string, parts: readonly string[]): string[] | undefined {
  const first = parts[0] ?? "";
  const last = parts.at(-1) ?? "";
  const end = text.length - last.length;
  if (end < first.length || !text.startsWith(first) || !text.endsWith(last)) return undefined;
  const values: string[] = [];
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const place = text.indexOf(part, at);
    if (place < 0 || place + part.length > end) return undefined;
    values.push(text.slice(at, place));
    at = place + part.length;
  }
  return [...values, text.slice(at, end)];
}
