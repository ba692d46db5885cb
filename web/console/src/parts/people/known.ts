/** Addresses that there are, offered while one types. */
import { useQuery } from "@tanstack/react-query";
import { useDeferredValue } from "react";
import { type Page, read } from "@/api/admin.ts";

const MOST = 12;

interface Named {
  readonly address?: string;
  readonly alias?: string;
  readonly group?: string;
  readonly name?: string;
  readonly full_name?: string;
}

interface Known {
  readonly address: string;
  readonly name: string;
}

/** Whoever has an address. */
const ADDRESSES = ["user", "group", "alias"];

/** Names of records of these kinds that have this text in them. */
export function useKnown(text: string, nouns: readonly string[] = ADDRESSES): readonly Known[] {
  const word = useDeferredValue(text.trim());
  const { data } = useQuery<readonly Known[]>({
    queryKey: ["known addresses", word, ...nouns],
    enabled: word.length > 0 && word.length < 100,
    retry: false,
    placeholderData: (before) => before,
    queryFn: async ({ signal }) => {
      const query = { search: word, limit: MOST };
      const pages = await Promise.all(
        nouns.map((noun) =>
          read<Page<Named>>(noun, "list", query, signal).catch((): Page<Named> => ({ items: [], more: "" })),
        ),
      );
      return pages
        .flatMap((page) => page.items)
        .map((each) => ({
          address: each.address ?? each.group ?? each.alias ?? each.name ?? "",
          name: each.full_name ?? "",
        }))
        .filter((each) => each.address && !/[*?]/.test(each.address))
        .slice(0, MOST);
    },
  });
  return data ?? [];
}
