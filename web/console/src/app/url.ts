/** What a screen keeps in its address: filter, sorting, the open record, the tab. Every view can be linked. */
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import type { ListQuery } from "@/parts/list/model.ts";

type Words = Record<string, string>;

export function useUrl(): [Words, (change: Record<string, string | null>, push?: boolean) => void] {
  const search = useSearch({ strict: false }) as Words;
  const navigate = useNavigate();
  const change = useCallback(
    (part: Record<string, string | null>, push = false) => {
      void navigate({
        to: ".",
        search: ((before: Words) => ({ ...before, ...part })) as never,
        replace: !push,
      });
    },
    [navigate],
  );
  return [search, change];
}

/** The state of a list in the address: `q`, `sort`, `open`, and one word for each filter. */
export function useListUrl(filters: readonly string[] = [], sort = "") {
  const [words, change] = useUrl();
  const named = filters.map((name) => words[name] ?? "").join("\n");
  const query: ListQuery = useMemo(
    () => ({
      search: words.q ?? "",
      sort: words.sort ?? sort,
      filters: Object.fromEntries(filters.map((name, at) => [name, named.split("\n")[at] ?? ""])),
    }),
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- the names of filters never change
    [words.q, words.sort, sort, named],
  );
  const onQuery = useCallback(
    ({ search, sort: by, filters: chosen }: Partial<ListQuery>) =>
      change({
        ...(search === undefined ? {} : { q: search }),
        ...(by === undefined ? {} : { sort: by }),
        ...(chosen === undefined ? {} : { ...Object.fromEntries(filters.map((name) => [name, null])), ...chosen }),
      }),
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- as above
    [change],
  );
  const onOpen = useCallback((id: string | null) => change({ open: id, tab: null }, true), [change]);
  return { query, onQuery, open: words.open ?? null, onOpen };
}
