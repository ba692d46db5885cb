/** Searching the guide. */
import type { GuideSection } from "../../../build/guide.ts";
import { score } from "@/app/palette/find.ts";

export interface Hit {
  readonly page: string;
  readonly at: string;
  readonly title: string;
  /** Some words around the first that was sought. */
  readonly text: string;
}

const MOST = 30;
const AROUND = 80;

/** Sections that have all words, those first that have them in their title. */
export function search(words: string, sections: readonly GuideSection[]): readonly Hit[] {
  if (!words.trim()) return [];
  return sections
    .map((section, order) => ({ section, order, rank: score(words, section.title, section.text) }))
    .filter(({ rank }) => rank > 0)
    .toSorted((a, b) => b.rank - a.rank || a.order - b.order)
    .slice(0, MOST)
    .map(({ section: { page, at, title, text } }) => ({ page, at, title, text: around(text, words) }));
}

function around(text: string, words: string): string {
  const low = text.toLowerCase();
  const places = words
    .toLowerCase()
    .split(/\s+/)
    .filter(Boolean)
    .map((word) => low.indexOf(word))
    .filter((place) => place >= 0);
  const from = Math.max(0, Math.min(...places, text.length) - AROUND);
  const begin = from === 0 || !places.length ? 0 : text.indexOf(" ", from) + 1;
  const end = begin + 3 * AROUND;
  const part = text.slice(begin, end < text.length ? Math.max(text.lastIndexOf(" ", end), begin + AROUND) : end);
  return `${begin > 0 ? "… " : ""}${part}${begin + part.length < text.length ? " …" : ""}`;
}

/** A text in pieces, of which every second is a word that was sought. */
export function pieces(text: string, words: string): readonly string[] {
  const sought = words
    .split(/\s+/)
    .filter((word) => word.length > 1)
    .map((word) => word.replaceAll(/[$()*+.?[\\\]^{|}]/g, "\\$&"));
  return sought.length ? text.split(new RegExp(`(${sought.join("|")})`, "i")) : [text];
}
