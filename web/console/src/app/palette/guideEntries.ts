/** Pages and headings of the guide, for `Ctrl K`. */
import { useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { toGuide } from "../guide.ts";
import type { Entry } from "./entries.ts";

export function useGuideEntries(): readonly Entry[] {
  const { t } = useLingui();
  const { data } = useQuery({
    queryKey: ["guide"],
    queryFn: async () => (await import("virtual:guide")).PAGES,
    staleTime: Infinity,
    retry: false,
  });
  return useMemo(
    () =>
      (data ?? []).flatMap((page): Entry[] => [
        entry(page.id, "", page.title, t`Guide`),
        ...page.headings.map((heading) => entry(page.id, heading.id, heading.title, `${t`Guide`} · ${page.title}`)),
      ]),
    [data, t],
  );
}

const entry = (page: string, at: string, title: string, note: string): Entry => ({
  id: `guide ${page} ${at}`,
  icon: "help",
  title,
  note,
  rank: 0,
  to: { path: "/help", search: toGuide({ page, at }) },
});
