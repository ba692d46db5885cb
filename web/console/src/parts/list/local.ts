/** Lists that the server hands out whole: searched, filtered and sorted here. */
import type { Page } from "@/api/admin.ts";
import type { PageRequest } from "./model.ts";

export interface Ways<R> {
  /** What a search looks into. */
  readonly words: (row: R) => string;
  /** By the names of filters: whether a row is of this value. */
  readonly filters?: Readonly<Record<string, (row: R, value: string) => boolean>>;
  /** By the names of columns: what rows are compared by. */
  readonly sorts?: Readonly<Record<string, (row: R) => string | number>>;
}

/** What `request` asks for among `rows`, in their own order unless it names another. */
export function localPage<R>(rows: readonly R[], request: PageRequest, ways: Ways<R>): Page<R> {
  const wanted = request.search.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const items = rows.filter((row) => {
    const words = ways.words(row).toLocaleLowerCase();
    return (
      wanted.every((word) => words.includes(word)) &&
      Object.entries(request.filters).every(([name, value]) => !value || (ways.filters?.[name]?.(row, value) ?? true))
    );
  });
  const down = request.sort.startsWith("-");
  const by = ways.sorts?.[down ? request.sort.slice(1) : request.sort];
  if (by) {
    items.sort((a, b) => {
      const [x, y] = [by(a), by(b)];
      const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
      return down ? -order : order;
    });
  }
  return { items, more: "", total: items.length };
}
