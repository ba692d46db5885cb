/** Who is signed in, and how to become so. */
import { ApiError } from "@shared/errors.ts";
import { type Gate, Http } from "@shared/http.ts";
import { worded } from "./said.ts";
import { Store } from "./store.ts";

declare global {
  interface Window {
    /** The first request for the session, which `early.js` has begun; whoever takes its answer takes it away. */
    sessionAsked?: Promise<Response> | undefined;
  }
}

export type Right = "none" | "accounts" | "domain" | "server-read" | "server-write";

export interface Me {
  readonly name: string;
  readonly account: string;
  readonly full_name: string;
  readonly grants: readonly string[];
  readonly right: Right;
  /** Null: all. */
  readonly domains: readonly string[] | null;
  readonly mail_read: boolean;
  readonly csrf: string;
  readonly signed_in: string;
  readonly idle_seconds: number;
  readonly expires: string;
  readonly server: { readonly hostname: string; readonly version: string; readonly protocol: string };
  readonly language: string;
  readonly density: string;
}

/** Undefined while nobody has asked the server yet, null when nobody is signed in. */
export const me = new Store<Me | null | undefined>(undefined);

/** The session ended while someone was at work: the page stays, a dialog asks for the password. */
export const expired = new Store(false);

/** Something is asked for that needs the password once more: a dialog asks for it. */
export const proving = new Store(false);

/** A dialog that requests wait for. */
class Waiting {
  private now: { resolve: () => void; reject: (reason: unknown) => void; ended: Promise<void> } | null = null;

  wait(begin: () => void): Promise<void> {
    if (this.now) return this.now.ended;
    let resolve!: () => void;
    let reject!: (reason: unknown) => void;
    const ended = new Promise<void>((yes, no) => {
      resolve = yes;
      reject = no;
    });
    this.now = { resolve, reject, ended };
    begin();
    return ended;
  }

  resolve(): void {
    this.now?.resolve();
    this.now = null;
  }

  reject(why: ApiError): void {
    const left = this.now;
    this.now = null;
    left?.ended.catch(() => undefined);
    left?.reject(why);
  }
}

const signing = new Waiting();
const proof = new Waiting();

const gate: Gate = {
  signIn: () => signing.wait(() => (me.get() ? expired.set(true) : giveUp())),
  prove: () => proof.wait(() => proving.set(true)),
  async csrf(fresh) {
    if (fresh) await load().catch(() => undefined);
    return me.get()?.csrf ?? "";
  },
};

export const http = new Http(gate, worded);

/** Asks the server whose session this browser has. */
export async function load(): Promise<Me | null> {
  try {
    const begun = window.sessionAsked;
    delete window.sessionAsked;
    const { result } = await http.call<Me>("GET", "/api/session", { alone: true, begun });
    me.set(result);
    return result;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) {
      if (!expired.get()) me.set(null);
      return null;
    }
    throw error;
  }
}

/** ApiError: 401 for a wrong name or password, 429 when locked out. */
export async function signIn(name: string, password: string): Promise<Me> {
  const { result } = await http.call<Me>("POST", "/api/session", { body: { name, password }, alone: true });
  const before = me.get();
  // Someone else takes over the page: what the other one saw must not be shown.
  if (before && before.account !== result.account) {
    location.assign("/");
    return result;
  }
  me.set(result);
  expired.set(false);
  signing.resolve();
  return result;
}

/** The person does not want to sign in again: requests that wait fail, the sign-in screen follows. */
export function giveUp(): void {
  expired.set(false);
  me.set(null);
  signing.reject(new ApiError(401, { kind: "unauthorized", text: "You are signed out." }));
}

/** The password once more; requests that need it go on. ApiError: it is wrong, or too often was. */
export async function prove(password: string): Promise<void> {
  await http.call("POST", "/api/session/reauthenticate", { body: { password }, proving: true });
  proving.set(false);
  proof.resolve();
}

/** The password is not given: what needs it is not done. `text` says so. */
export function refuseProof(text: string): void {
  proving.set(false);
  proof.reject(new ApiError(403, { kind: "reauthenticate", text }));
}

export async function signOut(): Promise<void> {
  await http.call("DELETE", "/api/session");
  location.assign("/");
}

const RANK: Record<Right, number> = { none: 0, accounts: 1, domain: 2, "server-read": 3, "server-write": 4 };

/** Whether these rights reach what needs `right`. The server decides; this only says what is shown. */
export function reaches(who: Me | null | undefined, right: Right): boolean {
  return !!who && RANK[who.right] >= RANK[right];
}

/** May change what belongs to the server, or to accounts and domains. */
export function mayChange(who: Me | null | undefined, what: "server" | "accounts"): boolean {
  if (!who) return false;
  return who.right === "server-write" || (what === "accounts" && (who.right === "domain" || who.right === "accounts"));
}
