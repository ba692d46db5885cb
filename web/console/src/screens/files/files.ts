/** The two configuration files, their former versions, and what is wrong with them. */
import { type Page, read } from "@/api/admin.ts";
import type { PageRequest } from "@/parts/list/model.ts";

export const FILES = ["mailserver.cfg", "users.cfg"] as const;

export interface Version {
  readonly number: number;
  readonly file: string;
  /** When the next one took its place. */
  readonly replaced: string;
  readonly size: number;
}

export interface Problem {
  readonly file: string;
  /** 0: the fault is of no line. */
  readonly line: number;
  readonly path: string;
  readonly text: string;
}

export interface Check {
  readonly problems: readonly Problem[];
  readonly changed_outside: boolean;
  readonly text: string;
}

export const idOf = ({ file, number }: Pick<Version, "file" | "number">): string => `${file}:${number}`;

/** The other way; null: it names no version. */
export function versionOf(id: string): { file: string; number: number } | null {
  const [, file, number] = /^(mailserver\.cfg|users\.cfg):(\d{1,9})$/.exec(id) ?? [];
  return file && number ? { file, number: Number(number) } : null;
}

export async function versions(
  { filters, search, sort }: PageRequest,
  all: (rows: readonly Version[]) => void,
  signal: AbortSignal,
): Promise<Page<Version>> {
  const { items } = await read<Page<Version>>("config", "history", {}, signal);
  all(items);
  const shown = chosen(items, filters.file ?? "", search, sort);
  return { items: shown, more: "", total: shown.length };
}

/** The server gives all there are; they are some hundred. */
export function chosen(rows: readonly Version[], file: string, search: string, sort: string): Version[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const matching = rows.filter(
    (row) =>
      (!file || row.file === file) &&
      words.every((word) => `${row.file} ${row.number} ${row.replaced}`.toLowerCase().includes(word)),
  );
  const by = sort.replace("-", "") === "size" ? "size" : "replaced";
  const down = sort ? sort.startsWith("-") : true;
  return matching.toSorted((a, b) => (down ? -1 : 1) * (a[by] < b[by] ? -1 : a[by] > b[by] ? 1 : a.number - b.number));
}

/** What is said of the lines of a file, by their numbers; a heading of a difference says which file it is. */
export function remarksOf(problems: readonly Problem[], right: string): ReadonlyMap<number, string> {
  const made = new Map<number, string>();
  for (const { file, line, text } of problems) {
    if (!line || !right.startsWith(file)) continue;
    made.set(line, [made.get(line), text].filter(Boolean).join(" "));
  }
  return made;
}

/** Which files a difference is of. */
export const edited = (text: string): string[] => FILES.filter((file) => text.includes(`--- ${file}`));
