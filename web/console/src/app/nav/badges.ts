/** Figures and dots beside the names of screens. */
import { useState } from "react";
import { useTopic } from "@/api/live.ts";
import { useStore } from "@/api/store.ts";
import { drafts } from "@/parts/form/drafts.ts";
import { pageOf, screenIdOf } from "@/screens/settings/pages.ts";

/** Where the figure of a screen comes from: a topic and what to take of it. */
const FIGURES: Record<string, { topic: string; of: (data: never) => number }> = {
  queue: {
    topic: "queue",
    of: (data: { waiting?: number; totals?: { waiting?: number } }) => data.waiting ?? data.totals?.waiting ?? 0,
  },
  connections: { topic: "connections", of: (data: { total?: number }) => data.total ?? 0 },
};

export function useBadges(screen: string): { count: number; dirty: number } {
  const [count, setCount] = useState(0);
  const figure = FIGURES[screen];
  useTopic(figure?.topic ?? null, (data) => setCount(figure?.of(data as never) ?? 0));
  const edits = useStore(drafts);
  const dirty = Object.keys(edits).filter((path) => screenIdOf(pageOf(path)) === screen).length;
  return { count, dirty };
}
