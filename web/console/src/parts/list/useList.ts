/** The model of a list whose rows a `list` call gives. */
import { useMemo } from "react";
import { type Page, read } from "@/api/admin.ts";
import { ListModel } from "./model.ts";

/** `noun`: user, domain, queue ... `id`: the column that names a row. `more`: further parameters of the call. */
export function useList<R>(noun: string, id: (row: R) => string, search = "search"): ListModel<R> {
  return useMemo(
    () =>
      new ListModel<R>({
        id,
        fetch: ({ search: words, sort, filters, after, limit }, signal) =>
          read<Page<R>>(noun, "list", { [search]: words, sort, ...filters, after, limit }, signal),
      }),
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- a list is of one noun for ever
    [],
  );
}
