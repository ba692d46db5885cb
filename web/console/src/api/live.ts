/** What is live in this console: topics of the one stream of events. */
import { Live } from "@shared/live.ts";
import { useEffect, useRef, useSyncExternalStore } from "react";
import { http, load } from "./session.ts";

export const live = new Live("/api/events", "whimbrel-live", async () => {
  // Any request meets the end of the session and asks for the password; this one is the cheapest.
  if (!(await load())) await http.call("GET", "/api/session");
});

const watchStatus = live.watchStatus;
const getStatus = () => live.status;

export const useLiveStatus = () => useSyncExternalStore(watchStatus, getStatus);

/** Calls `handler` with each event of a topic while the component is there; null: no topic. */
export function useTopic<T>(topic: string | null, handler: (data: T, id: string) => void): void {
  const latest = useRef(handler);
  useEffect(() => {
    latest.current = handler;
  });
  useEffect(() => {
    if (!topic) return undefined;
    return live.follow(topic, (data, id) => latest.current(data as T, id));
  }, [topic]);
}
