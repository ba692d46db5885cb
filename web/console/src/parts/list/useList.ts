/** The model of a list whose rows a `list` call gives. */
import { useMemo } from "react";
import { type Page, read } from "@/api/admin.ts";
import { takes } from "@/api/schema.ts";
import { ListModel, type PageRequest } from "./model.ts";

/** One page of the `list` of a noun. A server that does not sort this list gives it in its own order. */
export async function page<R>(
  noun: string,
  request: PageRequest,
  signal: AbortSignal,
  /** The parameter for what is searched, where the call has none that searches everywhere. */
  instead = "search",
): Promise<Page<R>> {
  const { search, sort, filters, after, limit, skip } = request;
  const words = instead === "search" || (await takes(noun, "list", "search")) ? "search" : instead;
  const by = sort && (await takes(noun, "list", "sort")) ? sort : "";
  return read<Page<R>>(
    noun,
    "list",
    { [words]: search, sort: by, ...filters, after, limit, ...(skip ? { skip } : {}) },
    signal,
  );
}

/** `noun`: user, domain, queue ... `id`: the column that names a row. */
export function useList<R>(noun: string, id: (row: R) => string): ListModel<R> {
  return useMemo(
    () =>
      new ListModel<R>({
        id,
        fetch: (request, signal) => page<R>(noun, request, signal),
        jumps: () => takes(noun, "list", "skip"),
      }),
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- a list is of one noun for ever
    [],
  );
}
