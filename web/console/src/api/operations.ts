/** Work that the server puts off for ten seconds, so that it can be undone, tab closed or not. */
import { run } from "./admin.ts";
import { Store } from "./store.ts";

export const UNDO_SECONDS = 10;

export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly kind: "done" | "undo" | "undone" | "failed";
  /** When it goes; milliseconds. */
  readonly until: number;
  readonly undo?: () => Promise<void>;
  /** Where more is said of it. */
  readonly link?: Place | undefined;
}

export interface Place {
  readonly to: string;
  readonly search: Readonly<Record<string, string>>;
  readonly text: string;
}

export const toasts = new Store<readonly Toast[]>([]);
let next = 1;

export function toast(text: string, kind: Toast["kind"] = "done", undo?: () => Promise<void>, link?: Place): number {
  const id = next++;
  const seconds = kind === "undo" ? UNDO_SECONDS : kind === "failed" ? 30 : link ? 15 : 5;
  const added: Toast = { id, text, kind, until: Date.now() + seconds * 1000, ...(undo ? { undo } : {}), link };
  toasts.set([...toasts.get(), added].slice(-3));
  setTimeout(() => dismiss(id), seconds * 1000);
  return id;
}

export function dismiss(id: number): void {
  toasts.set(toasts.get().filter((each) => each.id !== id));
}

/** Starts a call that can be undone. `said` is shown at once ("3 messages will be deleted"), `undone` after an undo.
 * `done` is called at once, when it is done, and after an undo; before it then `back`.
 * Servers that do not put off this call do it at once: then there is nothing to undo, and the toast says `said` alone. */
export async function undoable(
  noun: string,
  verb: string,
  body: object,
  { said, undone, done, back }: { said: string; undone: string; done?: () => void; back?: () => void },
): Promise<void> {
  const { operation } = await run(noun, verb, body, { undo: UNDO_SECONDS });
  if (!operation) {
    toast(said);
    done?.();
    return;
  }
  const timer = setTimeout(() => done?.(), UNDO_SECONDS * 1000 + 500);
  toast(said, "undo", async () => {
    await run("operation", "cancel", { id: operation });
    clearTimeout(timer);
    back?.();
    toast(undone, "undone");
    done?.();
  });
  done?.();
}
