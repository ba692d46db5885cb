/** What is live in this console: topics of the one stream of events. */
import { Live } from "@shared/live.ts";
import { useEffect, useRef, useSyncExternalStore } from "react";
import { worded } from "./said.ts";
import { http, load, me, reaches, type Right } from "./session.ts";
import { useStore } from "./store.ts";

export const live = new Live("/api/events", "whimbrel-live", async () => {
  // Any request meets the end of the session and asks for the password; this one is the cheapest.
  if (!(await load())) await http.call("GET", "/api/session");
});

const watchStatus = live.watchStatus;
const getStatus = () => live.status;

export const useLiveStatus = () => useSyncExternalStore(watchStatus, getStatus);

/** The least that one must be to follow a topic; the others are of the whole server. One topic that is refused would
 * take the stream with it. */
const TOPICS: Record<string, Right> = { connections: "accounts", operations: "accounts", session: "none" };

const mayFollow = (topic: string, who: ReturnType<typeof me.get>): boolean =>
  reaches(who, TOPICS[topic] ?? "server-read");

/** Calls `handler` with each event of a topic while the component is there; null: no topic. Who may not see a topic
 * hears nothing. */
export function useTopic<T>(topic: string | null, handler: (data: T, id: string) => void): void {
  const latest = useRef(handler);
  const who = useStore(me);
  const allowed = topic !== null && mayFollow(topic, who);
  useEffect(() => {
    latest.current = handler;
  });
  useEffect(() => {
    if (!topic || !allowed) return undefined;
    return live.follow(topic, (data, id) => latest.current(worded(topic, data) as T, id));
  }, [topic, allowed]);
}

/** Calls `again` when a topic has news; every `seconds` while nothing tells it of them and somebody looks. */
export function useFresh(topic: string, again: () => void, seconds: number): void {
  const { state } = useLiveStatus();
  const latest = useRef(again);
  useEffect(() => {
    latest.current = again;
  });
  useTopic(topic, () => latest.current());
  useEffect(() => {
    if (state === "live") return undefined;
    const timer = setInterval(() => document.hidden || latest.current(), seconds * 1000);
    return () => clearInterval(timer);
  }, [state, seconds]);
}
