/** The rows of one list: read page by page from the server, which alone searches, sorts and filters.
 *
 * Rows are kept in the server's order without gaps: from the first one on, or, after a jump far into a long list, from
 * another one on (`base`). While somebody points at rows or has selected
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
  /** So many rows are left out first. */
  readonly skip?: number;
  readonly limit: number;
}

export interface ListSource<R> {
  fetch(request: PageRequest, signal: AbortSignal): Promise<Page<R>>;
  id(row: R): string;
  /** Whether the server can begin anywhere; without it every page follows the one before. */
  jumps?: () => Promise<boolean>;
}

export interface ListView<R> {
  readonly rows: readonly R[];
  /** How many rows there are before the first of `rows`. */
  readonly base: number;
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
/** Rows between what is known and what is wanted, above which it is a jump. */
const JUMP = 1000;
/** No more than this is read again at once when something changed. */
const MOST_AGAIN = 2000;

const NOTHING: ReadonlySet<string> = new Set();

export class ListModel<R> {
  private listeners = new Set<() => void>();
  private view: ListView<R> = {
    rows: [],
    base: 0,
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
  private first = 0;
  private last = 0;
  private reading: AbortController | null = null;
  private again = false;
  private frozen = false;
  private held: { rows: readonly R[]; more: string; total: number; exact: boolean } | null = null;

  private jumps: boolean;

  constructor(private readonly source: ListSource<R>) {
    this.jumps = !!source.jumps;
  }

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
    this.first = this.last = 0;
    this.held = null;
    this.change({ stale: this.started && this.view.state === "ready", fresh: 0, gone: NOTHING });
    this.started = true;
    void this.readAll();
  }

  /** The rows from `first` to `last` are about to be seen. */
  need(last: number, first = last): void {
    this.first = first;
    this.last = last;
    if (this.far()) {
      if (!this.reading && this.view.state === "ready") void this.jump();
      return;
    }
    if (last < this.wanted - PAGE / 4) return;
    this.wanted = Math.max(this.wanted, last + PAGE / 2);
    if (!this.reading && this.more && this.view.state === "ready") void this.readMore();
  }

  /** What is about to be seen does not follow what is known. */
  private far(): boolean {
    const { base, rows, total } = this.view;
    const end = base + rows.length;
    return this.jumps && (this.first < base || (this.last > end + JUMP && this.last < total));
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
    const total = Math.max(held.total, this.view.base + held.rows.length);
    this.change({ rows: held.rows, total, exact: held.exact, fresh: 0, gone: NOTHING });
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
    const base = this.view.stale ? 0 : this.view.base;
    const limit = Math.min(Math.max(PAGE, this.wanted - base), MOST_AGAIN);
    try {
      const page = await this.source.fetch({ ...this.query, ...from(base), limit }, reading.signal);
      if (reading.signal.aborted) return;
      this.take(page, base);
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
      while (this.more && this.end < this.wanted && !this.far() && !reading.signal.aborted) {
        const missing = this.wanted - this.end;
        const limit = missing > 2 * PAGE ? LARGE_PAGE : PAGE;
        // oxlint-disable-next-line no-await-in-loop -- each page begins where the one before ended
        const page = await this.source.fetch({ ...this.query, after: this.more, limit }, reading.signal);
        if (reading.signal.aborted) return;
        this.more = page.more;
        const known = new Set(this.view.rows.map((row) => this.source.id(row)));
        const rows = [...this.view.rows, ...page.items.filter((row) => !known.has(this.source.id(row)))];
        this.change({ rows, ...counted(rows, page, this.view.base) });
      }
    } catch (error) {
      if (reading.signal.aborted) return;
      this.change({ state: "failed", error });
    }
    this.reading = null;
    this.next();
  }

  /** Reads what is about to be seen, and forgets what was known: the rows between would be too many. */
  private async jump(): Promise<void> {
    const reading = new AbortController();
    this.reading = reading;
    try {
      if (!(await this.source.jumps?.())) {
        this.jumps = false;
        this.wanted = Math.max(this.wanted, this.last + PAGE / 2);
      } else if (!reading.signal.aborted) {
        const base = Math.max(0, this.first - PAGE / 2);
        const page = await this.source.fetch({ ...this.query, ...from(base), limit: 2 * PAGE }, reading.signal);
        if (reading.signal.aborted) return;
        this.held = null;
        this.more = page.more;
        this.wanted = base + page.items.length;
        const rows = page.items;
        this.change({ rows, base, ...counted(rows, page, base), fresh: 0, gone: NOTHING });
      }
    } catch (error) {
      if (reading.signal.aborted) return;
      this.change({ state: "failed", error });
    }
    if (reading.signal.aborted) return;
    this.reading = null;
    this.next();
  }

  private get end(): number {
    return this.view.base + this.view.rows.length;
  }

  private next(): void {
    if (this.again) {
      this.again = false;
      void this.readAll();
    } else if (this.far() && this.view.state === "ready") {
      void this.jump();
    } else if (this.more && this.end < this.wanted && this.view.state === "ready") {
      void this.readMore();
    }
  }

  private take(page: Page<R>, base: number): void {
    const ready = { state: "ready" as const, error: null };
    if (!this.frozen || this.view.stale || this.view.state !== "ready") {
      this.held = null;
      this.more = page.more;
      const rows = page.items;
      this.change({ ...ready, rows, base, ...counted(rows, page, base), stale: false, fresh: 0, gone: NOTHING });
      return;
    }
    const now = new Map(page.items.map((row) => [this.source.id(row), row]));
    const before = new Set(this.view.rows.map((row) => this.source.id(row)));
    const rows = this.view.rows.map((row) => now.get(this.source.id(row)) ?? row);
    // What lies behind the part that was read anew is not known to have gone.
    const known = page.more ? rows.slice(0, page.items.length) : rows;
    const gone = new Set(known.map((row) => this.source.id(row)).filter((id) => !now.has(id)));
    const fresh = [...now.keys()].filter((id) => !before.has(id)).length;
    this.held = { rows: page.items, more: page.more, ...counted(page.items, page, base) };
    this.change({ ...ready, rows, fresh, gone });
  }

  private change(part: Partial<ListView<R>>): void {
    this.view = { ...this.view, ...part };
    for (const listener of this.listeners) listener();
  }
}

const from = (base: number): { after: string; skip?: number } => (base ? { after: "", skip: base } : { after: "" });

function counted(rows: readonly unknown[], page: Page<unknown>, base: number): { total: number; exact: boolean } {
  const least = base + rows.length;
  if (page.total !== undefined) return { total: Math.max(page.total, least), exact: true };
  return { total: least, exact: !page.more };
}
