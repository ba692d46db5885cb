/** Paths of settings that were changed here and wait for a restart of the server. */
import { Store } from "@/api/store.ts";

export const restarts = new Store<readonly string[]>([]);

export function waitForRestart(paths: readonly string[]): void {
  if (paths.length) restarts.set([...new Set([...restarts.get(), ...paths])]);
}
