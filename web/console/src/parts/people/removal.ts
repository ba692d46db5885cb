/** Records that are about to be removed: the server waits ten seconds, and meanwhile no list shows them. */
import { Store } from "@/api/store.ts";
import type { Page } from "@/api/admin.ts";
import { undoable, UNDO_SECONDS } from "@/api/operations.ts";

const going = new Store<ReadonlySet<string>>(new Set());
const key = (noun: string, name: string) => `${noun} ${name}`;

/** A page without the rows that are about to go. */
export function without<R>(page: Page<R>, id: (row: R) => string, names: ReadonlySet<string>): Page<R> {
  const items = page.items.filter((row) => !names.has(id(row)));
  const fewer = page.items.length - items.length;
  if (!fewer) return page;
  return { ...page, items, ...(page.total === undefined ? {} : { total: page.total - fewer }) };
}

export function withoutGoing<R>(noun: string, page: Page<R>, id: (row: R) => string): Page<R> {
  return without(page, (row) => key(noun, id(row)), going.get());
}

/** Removes a record ten seconds from now, unless it is taken back. ApiError: it would be refused. */
export async function remove(
  noun: string,
  name: string,
  words: { said: string; undone: string },
  done: () => void,
): Promise<void> {
  const own = key(noun, name);
  const set = (there: boolean) => {
    const next = new Set(going.get());
    if (there) next.add(own);
    else next.delete(own);
    going.set(next);
  };
  set(true);
  const begun = Date.now();
  try {
    await undoable(
      noun,
      "remove",
      { name },
      {
        ...words,
        done: () => {
          // Called at once, and when it is done or undone.
          if (Date.now() - begun > UNDO_SECONDS * 1000) set(false);
          done();
        },
        back: () => set(false),
      },
    );
  } catch (error) {
    set(false);
    throw error;
  }
}
