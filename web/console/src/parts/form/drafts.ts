/** What has been typed into settings and is not saved. It is kept when one goes to another screen and comes back. */
import { Store } from "@/api/store.ts";

/** By path; null: back to the default, or an entry of a list goes. */
export type Edits = Readonly<Record<string, unknown>>;

export const drafts = new Store<Edits>({});

addEventListener("beforeunload", (event) => {
  if (Object.keys(drafts.get()).length) event.preventDefault();
});

/** With one more edit; an edit to what is so already is none. */
export function edited(edits: Edits, path: string, value: unknown, now: unknown): Edits {
  const { [path]: _before, ...rest } = edits;
  return same(value, now) ? rest : { ...rest, [path]: value };
}

export function without(edits: Edits, paths: Iterable<string>): Edits {
  const rest: Record<string, unknown> = { ...edits };
  for (const path of paths) delete rest[path];
  return rest;
}

export function same(a: unknown, b: unknown): boolean {
  return Object.is(a, b) || (typeof a === "object" && JSON.stringify(a) === JSON.stringify(b));
}
