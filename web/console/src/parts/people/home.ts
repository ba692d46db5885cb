/** In which domain a bare name is meant. */
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { type Page, read } from "@/api/admin.ts";

interface Home {
  /** "@example.org", as far as it is known. */
  readonly at: string;
  /** A name as the server understands it. */
  readonly full: (name: string) => string;
  /** For a form that is opened while one domain is looked at. */
  readonly initial: Readonly<Record<string, string>>;
}

export function useHome(domain = ""): Home {
  const { data } = useQuery({
    queryKey: ["primary domain"],
    queryFn: ({ signal }) =>
      read<Page<{ name: string; primary: boolean }>>("domain", "list", { sort: "-primary", limit: 1 }, signal),
    staleTime: 60_000,
    retry: false,
  });
  const first = data?.items[0];
  const primary = first?.primary ? first.name : "";
  return useMemo(
    () => ({
      at: primary && `@${domain || primary}`,
      full: (name) => (name.includes("@") || !primary ? name : `${name}@${primary}`),
      initial: domain && domain !== primary ? { name: `@${domain}` } : NOTHING,
    }),
    [primary, domain],
  );
}

const NOTHING: Readonly<Record<string, string>> = {};
