/** After messages were tried or released: what became of those that left the queue at once. */
import { type Page, read } from "@/api/admin.ts";
import { search } from "../trace/search.ts";
import { type Fate, rowsOf, type TraceRow } from "../trace/story.ts";
import type { QueueRow } from "./message.ts";

/** Of more than these nobody wants to read one by one: the list shows which still wait. */
export const MOST = 20;
/** Milliseconds from one look to the next. */
const WAITS = [800, 1500, 3000, 5000];

const ENDED: ReadonlySet<Fate> = new Set(["delivered", "junk", "relayed", "returned", "refused", "discarded"]);

export interface Ended {
  readonly rows: readonly TraceRow[];
  /** Messages that wait still. */
  readonly waiting: number;
}

const pause = (wait: number) => new Promise((resolve) => setTimeout(resolve, wait));

/** The ends of messages, as far as they come within some seconds. */
export async function follow(ids: readonly string[], waits: readonly number[] = WAITS): Promise<Ended> {
  const { signal } = new AbortController();
  const ended = new Map<string, readonly TraceRow[]>();
  let waiting = ids.length;
  for (const wait of waits) {
    // oxlint-disable-next-line no-await-in-loop -- one look after the other
    await pause(wait);
    // oxlint-disable-next-line no-await-in-loop -- as above
    const { items } = await read<Page<QueueRow>>("queue", "list", { ids: [...ids], limit: MOST }, signal);
    const left = new Set(items.map((row) => row.id));
    waiting = left.size;
    const gone = ids.filter((id) => !left.has(id) && !ended.has(id));
    // oxlint-disable-next-line no-await-in-loop -- as above
    const rows = rowsOf(
      (await Promise.all(gone.map((id) => search(id, "", "", signal)))).flatMap((each) => each.messages),
    );
    for (const id of gone) {
      const own = rows.filter((row) => row.message.id === id && ENDED.has(row.fate));
      if (own.length) ended.set(id, own);
    }
    if (ended.size === ids.length) break;
  }
  return { rows: [...ended.values()].flat(), waiting };
}

/** How many recipients came to each end, the bad ones first. */
export function counted(
  rows: readonly TraceRow[],
): Readonly<Record<"returned" | "refused" | "discarded" | "delivered", number>> {
  const of = (...fates: Fate[]) => rows.filter((row) => fates.includes(row.fate)).length;
  return {
    returned: of("returned"),
    refused: of("refused"),
    discarded: of("discarded"),
    delivered: of("delivered", "junk", "relayed"),
  };
}
