/** The lines of one view of a log: its end and what is written from now on, or the lines around a moment.
 *
 * Older and newer lines are read when somebody comes near them; what is written now is taken in four times a second, at
 * most so many lines each time. While somebody reads further up, new lines wait.
 */
import { type Page, read, stream } from "@/api/admin.ts";
import { filterOf, type LogLine, pattern, split } from "./line.ts";

export interface LogQuery {
  readonly logs: readonly string[];
  readonly search: string;
  readonly since: string;
  readonly until: string;
  /** Shows the lines around this moment. */
  readonly at: string;
}

export interface LogView {
  readonly lines: readonly LogLine[];
  readonly state: "loading" | "ready" | "failed";
  readonly error: unknown;
  readonly note: string;
  /** There are no older ones. */
  readonly top: boolean;
  /** New lines appear. */
  readonly live: "on" | "off" | "retrying";
  readonly since: number;
  /** New lines that wait. */
  readonly waiting: number;
  /** How many lines were put before the first one by the last change: the view moves on by as many. */
  readonly before: number;
}

export interface LogReader {
  page(query: Record<string, unknown>, signal: AbortSignal): Promise<Page<Wire> & { note: string }>;
  follow(query: Record<string, unknown>, signal: AbortSignal): AsyncIterable<string>;
}

interface Wire {
  readonly log: string;
  readonly at: string;
  readonly text: string;
}

export const PAGE = 300;
export const MOST = 20_000;
const TICK = 250;
/** A hundred lines a second are the most that anybody is shown. */
const A_TICK = 25;
const AGAIN = 3000;
const STANDS = 1000;

export const server: LogReader = {
  page: (query, signal) => read("log", "search", query as Record<string, string>, signal),
  follow: (query, signal) => stream<string>("log", "tail", query as Record<string, string>, signal),
};

export class LogModel {
  private listeners = new Set<() => void>();
  private view: LogView = START;
  private key = 0;
  private stop = new AbortController();
  private query: LogQuery = { logs: [], search: "", since: "", until: "", at: "" };
  private older: string | null = null;
  private newer: string | null = null;
  private reading = false;
  private came: string[] = [];
  private held: LogLine[] = [];
  private paused = false;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly reader: LogReader = server) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly get = (): LogView => this.view;

  async ask(query: LogQuery): Promise<void> {
    this.close();
    this.stop = new AbortController();
    const { signal } = this.stop;
    this.query = query;
    [this.older, this.newer, this.came, this.held, this.paused] = [null, null, [], [], false];
    this.view = { ...START, lines: this.view.lines, state: this.view.lines.length ? "ready" : "loading" };
    this.change({});
    const live = !query.at && !query.until;
    // Before the first page: what is written between the two must not be missed.
    if (live) void this.follow(signal);
    try {
      const [before, behind] = await this.first(signal);
      if (signal.aborted) return;
      const lines = [...before.items.toReversed(), ...behind.items];
      this.older = before.more || null;
      this.newer = behind.more || null;
      const note = before.note || behind.note;
      this.change({ lines: this.numbered(lines), state: "ready", error: null, note, top: !before.more, before: 0 });
      if (query.at && !query.until && !behind.more) void this.follow(signal);
    } catch (error) {
      if (!signal.aborted) this.change({ lines: [], state: "failed", error });
    }
  }

  /** No longer looked at. */
  close(): void {
    this.stop.abort();
    clearInterval(this.timer);
  }

  retry(): void {
    void this.ask(this.query);
  }

  async needOlder(): Promise<void> {
    const { signal } = this.stop;
    if (this.older === null || this.reading) return;
    this.reading = true;
    try {
      const page = await this.reader.page({ ...this.asked(true), after: this.older, limit: PAGE }, signal);
      this.older = page.more || null;
      const lines = this.numbered(page.items.toReversed());
      this.change({ lines: [...lines, ...this.view.lines], top: !page.more, before: lines.length, note: page.note });
    } catch (error) {
      if (!signal.aborted) this.change({ note: error instanceof Error ? error.message : String(error) });
    } finally {
      this.reading = false;
    }
  }

  async needNewer(): Promise<void> {
    const { signal } = this.stop;
    if (this.newer === null || this.reading) return;
    this.reading = true;
    try {
      const page = await this.reader.page({ ...this.asked(false), after: this.newer, limit: PAGE }, signal);
      this.newer = page.more || null;
      this.change({ lines: [...this.view.lines, ...this.numbered(page.items)], before: 0, note: page.note });
      if (!page.more && !this.query.until) void this.follow(signal);
    } catch (error) {
      if (!signal.aborted) this.change({ note: error instanceof Error ? error.message : String(error) });
    } finally {
      this.reading = false;
    }
  }

  /** Somebody reads further up: new lines wait. Or no longer. */
  pause(paused: boolean): void {
    if (paused === this.paused) return;
    this.paused = paused;
    if (!paused && this.held.length) {
      const lines = this.held;
      this.held = [];
      this.append(lines);
      this.change({ waiting: 0 });
    }
  }

  private async first(signal: AbortSignal): Promise<[Pages, Pages]> {
    const { at } = this.query;
    if (at) {
      return Promise.all([
        this.reader.page({ ...this.asked(true), until: at, limit: PAGE }, signal).then((page) => earlier(page, at)),
        this.reader.page({ ...this.asked(false), since: at, limit: PAGE }, signal),
      ]);
    }
    return [await this.reader.page({ ...this.asked(true), limit: PAGE }, signal), { items: [], more: "", note: "" }];
  }

  private asked(newest: boolean): Record<string, unknown> {
    const { logs, search, since, until, at } = this.query;
    const around = newest ? { since, until: at || until } : { since: at || since, until };
    return { ...filterOf(search), log: logs, ...around, newest };
  }

  private async follow(signal: AbortSignal): Promise<void> {
    const { logs, search } = this.query;
    const fits = pattern(search);
    const grep = filterOf(search).regex ? "" : (Object.values(filterOf(search))[0] ?? "");
    clearInterval(this.timer);
    this.timer = setInterval(() => this.tick(), TICK);
    let broken = false;
    while (!signal.aborted) {
      // The stream says nothing of itself: one that has lasted for a moment stands.
      const stands = setTimeout(() => void this.stands(broken, signal), broken ? STANDS : 0);
      try {
        // oxlint-disable-next-line no-await-in-loop -- a stream is read in its order
        for await (const line of this.reader.follow({ log: logs, lines: 0, follow: true, grep }, signal)) {
          if (!fits || line.search(fits) >= 0) this.came.push(line);
        }
      } catch {
        // Told below: the lines that are there stay.
      }
      clearTimeout(stands);
      if (signal.aborted) return;
      if (!broken || this.view.live === "on") this.change({ live: "retrying", since: Date.now() });
      broken = true;
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  }

  /** The stream is there; what was written while it was broken is read from the log. */
  private async stands(again: boolean, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.change({ live: "on" });
    const last = this.view.lines.findLast((line) => !line.skipped && line.at);
    if (!again || !last) return;
    const query = { ...this.asked(false), since: last.at, limit: PAGE };
    const page = await this.reader.page(query, signal).catch(() => null);
    if (!page || signal.aborted) return;
    const known = new Set([...this.view.lines, ...this.held].slice(-2 * PAGE).map((line) => line.log + line.text));
    const missed = this.numbered(page.items).filter((line) => !known.has(line.log + line.text));
    if (this.paused) {
      this.held = [...this.held, ...missed];
      this.change({ waiting: this.view.waiting + missed.length });
    } else if (missed.length) this.append(missed);
  }

  /** What has come since the last tick. */
  private tick(): void {
    if (!this.came.length || this.view.state !== "ready") return;
    const skipped = this.came.length - A_TICK;
    const log = this.query.logs.length === 1 ? (this.query.logs[0] ?? "") : "";
    const recent = new Set(this.view.lines.slice(-PAGE).map((line) => line.log + line.text));
    const now = new Date().toISOString();
    const lines = this.came
      .slice(-A_TICK)
      .map((line) => ({ key: 0, at: now, ...split(line, log) }))
      // The first page may have it, too.
      .filter((line) => this.key > PAGE * 2 || !recent.has(line.log + line.text));
    this.came = [];
    const marked = skipped > 0 ? [{ key: 0, log: "", at: now, text: "", skipped }, ...lines] : lines;
    const made = marked.map((line) => ({ ...line, key: this.key++ }));
    if (this.paused) {
      this.held = [...this.held, ...made].slice(-MOST);
      this.change({ waiting: this.view.waiting + made.length + Math.max(0, skipped) });
    } else if (made.length) this.append(made);
  }

  private append(lines: readonly LogLine[]): void {
    let all = [...this.view.lines, ...lines];
    let gone = 0;
    if (all.length > MOST) {
      gone = all.length - MOST;
      all = all.slice(gone);
      // What was let go is older than what a cursor would give; a new search finds it again.
      this.older = null;
    }
    this.change({ lines: all, before: -gone });
  }

  private numbered(lines: readonly Wire[]): readonly LogLine[] {
    return lines.map((line) => ({ ...split(line.text, line.log), at: line.at, key: this.key++ }));
  }

  private change(part: Partial<LogView>): void {
    this.view = { ...this.view, ...part };
    for (const listener of this.listeners) listener();
  }
}

type Pages = Page<Wire> & { note: string };

/** Both pages around a moment have its own lines. */
const earlier = (page: Pages, at: string): Pages => ({
  ...page,
  items: page.items.filter((line) => new Date(line.at).getTime() < new Date(at).getTime()),
});

const START: LogView = {
  lines: [],
  state: "loading",
  error: null,
  note: "",
  top: false,
  live: "off",
  since: 0,
  waiting: 0,
  before: 0,
};
