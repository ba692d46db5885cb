/** One stream of server-sent events for all tabs of this browser.
 *
 * The tab that holds the lock reads the stream for all topics that any tab asks for, and hands events on by a
 * BroadcastChannel; when it closes, another one takes over. `fetch` and not EventSource: it can send Last-Event-ID to a
 * stream with other topics, and tells that the session is over. Where there are no locks each tab reads for itself.
 */
import { EventParser } from "./sse.ts";

export type LiveState = "idle" | "live" | "retrying";

export interface LiveStatus {
  readonly state: LiveState;
  /** When events were last known to be true; milliseconds. */
  readonly since: number;
}

type Handler = (data: unknown, id: string) => void;
type Word =
  | { kind: "event"; topic: string; id: string; data: unknown }
  | { kind: "topics"; tab: string; topics: string[] }
  | { kind: "status"; status: LiveStatus }
  | { kind: "who" }
  | { kind: "gone"; tab: string };

const LONGEST_PAUSE = 15_000;
/** The server says something at least this often (a comment, if nothing else). */
const SILENCE = 45_000;

export class Live {
  private readonly handlers = new Map<string, Set<Handler>>();
  private readonly listeners = new Set<() => void>();
  private readonly others = new Map<string, string[]>();
  private readonly last = new Map<string, { data: unknown; id: string }>();
  private readonly tab = Math.random().toString(36).slice(2);
  private readonly channel: BroadcastChannel | null;
  private leads = false;
  private started = false;
  private reading: AbortController | null = null;
  private asked = "";
  private lastId = "";
  status: LiveStatus = { state: "idle", since: Date.now() };

  constructor(
    private readonly path: string,
    private readonly lock: string,
    /** The session is over; resolves when there is one again. */
    private readonly signIn: () => Promise<void>,
  ) {
    this.channel = typeof BroadcastChannel === "function" ? new BroadcastChannel(lock) : null;
    this.channel?.addEventListener("message", (message) => this.hear(message.data as Word));
  }

  /** Calls `handler` with what is known of a topic, and with each event from now on. Returns the end of that. */
  follow(topic: string, handler: Handler): () => void {
    this.start();
    const set = this.handlers.get(topic) ?? new Set();
    this.handlers.set(topic, set.add(handler));
    const known = this.last.get(topic);
    if (known) handler(known.data, known.id);
    this.announce();
    return () => {
      set.delete(handler);
      if (!set.size) this.handlers.delete(topic);
      this.announce();
    };
  }

  readonly watchStatus = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  private start(): void {
    if (this.started) return;
    this.started = true;
    globalThis.addEventListener?.("pagehide", () => this.say({ kind: "gone", tab: this.tab }));
    this.say({ kind: "who" });
    if (!globalThis.navigator?.locks || !this.channel) {
      this.lead();
      return;
    }
    // Held until the tab ends: the promise is never resolved.
    void navigator.locks.request(this.lock, () => {
      this.lead();
      return new Promise(() => undefined);
    });
  }

  private lead(): void {
    this.leads = true;
    // The tab that led before has taken with it what the others follow.
    this.say({ kind: "who" });
    this.announce();
  }

  private say(word: Word): void {
    this.channel?.postMessage(word);
  }

  private announce(): void {
    if (this.leads) this.adjust();
    else this.say({ kind: "topics", tab: this.tab, topics: [...this.handlers.keys()] });
  }

  private hear(word: Word): void {
    if (word.kind === "event") this.deliver(word.topic, word.id, word.data);
    else if (word.kind === "status") this.setStatus(word.status);
    else if (word.kind === "who") this.greet();
    else if (this.leads) {
      if (word.kind === "gone") this.others.delete(word.tab);
      else this.others.set(word.tab, word.topics);
      this.adjust();
      if (word.kind === "topics") this.repeat(word.topics);
    }
  }

  /** A new tab, or a new leader, asks what there is. */
  private greet(): void {
    if (this.leads) this.say({ kind: "status", status: this.status });
    else this.announce();
  }

  private repeat(topics: readonly string[]): void {
    for (const topic of topics) {
      const known = this.last.get(topic);
      if (known) this.say({ kind: "event", topic, ...known });
    }
  }

  private topics(): string {
    const all = new Set([...this.handlers.keys(), ...[...this.others.values()].flat()]);
    return [...all].toSorted().join(",");
  }

  private adjust(): void {
    const topics = this.topics();
    if (topics === this.asked) return;
    // What is new has to be told from its beginning: a server that resumes would leave it out.
    const before = this.asked.split(",");
    if (!topics.split(",").every((topic) => before.includes(topic))) this.lastId = "";
    this.asked = topics;
    this.reading?.abort();
    this.reading = null;
    if (!topics) {
      this.tell({ state: "idle", since: Date.now() });
      return;
    }
    this.reading = new AbortController();
    void this.read(topics, this.reading.signal);
  }

  private async read(topics: string, signal: AbortSignal): Promise<void> {
    // Screens change topics in one go: wait for the last of them.
    await pause(20, signal);
    let wait = 1000;
    while (!signal.aborted) {
      const began = Date.now();
      // oxlint-disable-next-line no-await-in-loop -- one stream at a time
      const over = await this.readOnce(topics, signal);
      if (signal.aborted) return;
      this.tell({ state: "retrying", since: this.status.state === "retrying" ? this.status.since : Date.now() });
      // oxlint-disable-next-line no-await-in-loop
      if (over) await this.signIn().catch(() => pause(LONGEST_PAUSE, signal));
      wait = Date.now() - began > 10_000 ? 1000 : Math.min(wait * 2, LONGEST_PAUSE);
      // oxlint-disable-next-line no-await-in-loop
      if (!over) await pause(wait * (0.75 + Math.random() / 2), signal);
    }
  }

  /** True if the session was over. */
  private async readOnce(topics: string, signal: AbortSignal): Promise<boolean> {
    const stop = new AbortController();
    const end = () => stop.abort();
    signal.addEventListener("abort", end);
    let timer = setTimeout(end, SILENCE);
    try {
      const headers: Record<string, string> = { accept: "text/event-stream" };
      if (this.lastId) headers["last-event-id"] = this.lastId;
      const url = `${this.path}?topics=${encodeURIComponent(topics)}`;
      const response = await fetch(url, { headers, signal: stop.signal, cache: "no-store" });
      if (response.status === 401) return true;
      if (!response.ok || !response.body) return false;
      this.tell({ state: "live", since: Date.now() });
      const parser = new EventParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      stop.signal.addEventListener("abort", () => void reader.cancel().catch(() => undefined));
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop -- a stream is read in its order
        const { done, value } = await reader.read();
        if (done) return false;
        clearTimeout(timer);
        timer = setTimeout(end, SILENCE);
        for (const event of parser.feed(value)) {
          const word = {
            kind: "event" as const,
            topic: event.topic,
            id: event.id,
            data: JSON.parse(event.data) as unknown,
          };
          this.deliver(word.topic, word.id, word.data);
          this.say(word);
        }
      }
    } catch {
      return false;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
    }
  }

  private deliver(topic: string, id: string, data: unknown): void {
    this.lastId = id;
    // Lines of a log are no state: who comes later reads them from the log itself.
    if (!topic.startsWith("log:")) this.last.set(topic, { data, id });
    for (const handler of this.handlers.get(topic) ?? []) handler(data, id);
  }

  private tell(status: LiveStatus): void {
    this.setStatus(status);
    this.say({ kind: "status", status });
  }

  private setStatus(status: LiveStatus): void {
    this.status = status;
    for (const listener of this.listeners) listener();
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
