/** The rows of one list: read page by page from the server, which alone searches, sorts and filters.
 *
 * Rows are kept in the server's order without gaps from the first one on. While somebody points at rows or has selected
 * some, nothing moves: what is known is updated in place, what is new waits (`fresh`) and what has gone is marked.
 */
import type { Page } from "@/api/admin.ts";

export interface ListQuery {
  readonly search: string;
  /** `name`, or `-name` for the largest first; empty: as the server likes. */
  readonly sort: string;
  readonly filters: Readonly<Record<string, string>>;
}

export interface PageRequest extends ListQuery {
  readonly after: string;
  readonly limit: number;
}

export interface ListSource<R> {
  fetch(request: PageRequest, signal: AbortSignal): Promise<Page<R>>;
  id(row: R): string;
}

export interface ListView<R> {
  readonly rows: readonly R[];
  /** How many there are in all; `exact` tells whether the server counted. */
  readonly total: number;
  readonly exact: boolean;
  readonly state: "loading" | "ready" | "failed";
  /** Rows of the query before this one are shown until those of this one come. */
  readonly stale: boolean;
  readonly error: unknown;
  /** New rows that wait until nothing is pointed at or selected. */
  readonly fresh: number;
  readonly gone: ReadonlySet<string>;
}

export const PAGE = 200;
/** When somebody jumps far ahead, few large pages are quicker than many small ones. */
const LARGE_PAGE = 5000;
/** No more than this is read again at once when something changed. */
const MOST_AGAIN = 2000;

const NOTHING: ReadonlySet<string> = new Set();

export class ListModel<R> {
  private listeners = new Set<() => void>();
  private view: ListView<R> = {
    rows: [],
    total: 0,
    exact: false,
    state: "loading",
    stale: false,
    error: null,
    fresh: 0,
    gone: NOTHING,
  };
  private query: ListQuery = { search: "", sort: "", filters: {} };
  private more = "";
  private started = false;
  private wanted = PAGE;
  private reading: AbortController | null = null;
  private again = false;
  private frozen = false;
  private held: { rows: readonly R[]; more: string; total: number; exact: boolean } | null = null;

  constructor(private readonly source: ListSource<R>) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly get = (): ListView<R> => this.view;

  id(row: R): string {
    return this.source.id(row);
  }

  /** Reads the list for another query, or for the first time. */
  ask(query: ListQuery): void {
    if (this.started && JSON.stringify(query) === JSON.stringify(this.query)) return;
    this.query = query;
    this.wanted = PAGE;
    this.held = null;
    this.change({ stale: this.started && this.view.state === "ready", fresh: 0, gone: NOTHING });
    this.started = true;
    void this.readAll();
  }

  /** The rows up to this one are about to be seen. */
  need(index: number): void {
    if (index < this.wanted - PAGE / 4) return;
    this.wanted = Math.max(this.wanted, index + PAGE / 2);
    if (!this.reading && this.more && this.view.state === "ready") void this.readMore();
  }

  /** Something changed on the server. */
  refresh(): void {
    if (!this.started) return;
    if (this.reading) this.again = true;
    else void this.readAll();
  }

  retry(): void {
    this.change({ state: this.view.rows.length ? "ready" : "loading", error: null });
    void this.readAll();
  }

  /** Rows must not move now; or they may again. */
  freeze(frozen: boolean): void {
    this.frozen = frozen;
    if (!frozen) this.thaw();
  }

  /** Shows what waited. */
  thaw(): void {
    const { held } = this;
    if (!held) return;
    this.held = null;
    this.more = held.more;
    this.change({ rows: held.rows, total: held.total, exact: held.exact, fresh: 0, gone: NOTHING });
  }

  /** All rows of the query, for an export; `each` is called with how many there are so far. */
  async everything(each: (count: number) => void, signal: AbortSignal): Promise<R[]> {
    const rows: R[] = [];
    let after = "";
    do {
      // oxlint-disable-next-line no-await-in-loop -- each page begins where the one before ended
      const page = await this.source.fetch({ ...this.query, after, limit: LARGE_PAGE }, signal);
      rows.push(...page.items);
      after = page.more;
      each(rows.length);
    } while (after);
    return rows;
  }

  private async readAll(): Promise<void> {
    this.reading?.abort();
    const reading = new AbortController();
    this.reading = reading;
    const limit = Math.min(Math.max(PAGE, this.wanted), MOST_AGAIN);
    try {
      const page = await this.source.fetch({ ...this.query, after: "", limit }, reading.signal);
      if (reading.signal.aborted) return;
      this.take(page);
    } catch (error) {
      if (reading.signal.aborted) return;
      this.change({ state: "failed", error, stale: false });
    }
    this.reading = null;
    this.next();
  }

  private async readMore(): Promise<void> {
    const reading = new AbortController();
    this.reading = reading;
    try {
      while (this.more && this.view.rows.length < this.wanted && !reading.signal.aborted) {
        const missing = this.wanted - this.view.rows.length;
        const limit = missing > 2 * PAGE ? LARGE_PAGE : PAGE;
        // oxlint-disable-next-line no-await-in-loop -- each page begins where the one before ended
        const page = await this.source.fetch({ ...this.query, after: this.more, limit }, reading.signal);
        if (reading.signal.aborted) return;
        this.more = page.more;
        const known = new Set(this.view.rows.map((row) => this.source.id(row)));
        const rows = [...this.view.rows, ...page.items.filter((row) => !known.has(this.source.id(row)))];
        this.change({ rows, ...counted(rows, page) });
      }
    } catch (error) {
      if (reading.signal.aborted) return;
      this.change({ state: "failed", error });
    }
    this.reading = null;
    this.next();
  }

  private next(): void {
    if (this.again) {
      this.again = false;
      void this.readAll();
    } else if (this.more && this.view.rows.length < this.wanted && this.view.state === "ready") {
      void this.readMore();
    }
  }

  private take(page: Page<R>): void {
    const ready = { state: "ready" as const, error: null };
    if (!this.frozen || this.view.stale || this.view.state !== "ready") {
      this.held = null;
      this.more = page.more;
      const rows = page.items;
      this.change({ ...ready, rows, ...counted(rows, page), stale: false, fresh: 0, gone: NOTHING });
      return;
    }
    const now = new Map(page.items.map((row) => [this.source.id(row), row]));
    const before = new Set(this.view.rows.map((row) => this.source.id(row)));
    const rows = this.view.rows.map((row) => now.get(this.source.id(row)) ?? row);
    // What lies behind the part that was read anew is not known to have gone.
    const known = page.more ? rows.slice(0, page.items.length) : rows;
    const gone = new Set(known.map((row) => this.source.id(row)).filter((id) => !now.has(id)));
    const fresh = [...now.keys()].filter((id) => !before.has(id)).length;
    this.held = { rows: page.items, more: page.more, ...counted(page.items, page) };
    this.change({ ...ready, rows, fresh, gone });
  }

  private change(part: Partial<ListView<R>>): void {
    this.view = { ...this.view, ...part };
    for (const listener of this.listeners) listener();
  }
}

function counted(rows: readonly unknown[], page: Page<unknown>): { total: number; exact: boolean } {
  if (page.total !== undefined) return { total: Math.max(page.total, rows.length), exact: true };
  return { total: rows.length, exact: !page.more };
}
