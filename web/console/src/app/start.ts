/** What stands between opening the page and seeing it: who is signed in, and in which language they read. */
import { ApiError } from "@shared/errors.ts";
import { load } from "@/api/session.ts";
import { Store } from "@/api/store.ts";
import { preferred, speak } from "./language.ts";
import { begin } from "./preferences.ts";

/** Why the server could not be asked. */
export const trouble = new Store<unknown>(null);

/** The server is not set up yet: the wizard is all there is. */
export const isNew = (error: unknown): boolean => error instanceof ApiError && error.kind === "setup";

/** Where links to set a password lead: whoever has one signs in nowhere. */
export const SET_PASSWORD = "/set-password";

export async function start(): Promise<void> {
  begin();
  const asked = load().catch((error: unknown) => trouble.set(error));
  await speak(preferred());
  await asked;
  if (preferred() !== document.documentElement.lang) await speak(preferred());
}
