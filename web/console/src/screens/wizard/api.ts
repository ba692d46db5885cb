/** What the wizard asks of a server that is not set up yet: `services/setup/application.py` says what it answers. */
import { ApiError } from "@shared/errors.ts";
import { Http } from "@shared/http.ts";
import { worded } from "@/api/said.ts";
import type { Tree } from "./answers.ts";

export type Kind = "text" | "secret" | "choice" | "number" | "file" | "list" | "services" | "settings";

export interface Field {
  readonly name: string;
  readonly title: string;
  readonly help: string;
  readonly kind: Kind;
  /** Null: only a person can say. */
  readonly default: unknown;
  readonly required: boolean;
  readonly choices: readonly { readonly value: string; readonly title: string }[];
  readonly shown_if: { readonly name: string; readonly value: string } | null;
  /** For an answers file; nobody is asked. */
  readonly rare: boolean;
}

export interface Step {
  readonly name: string;
  readonly title: string;
  readonly help: string;
  readonly fields: readonly Field[];
  readonly checks: readonly { readonly name: string; readonly title: string; readonly on_demand: boolean }[];
}

export interface Fault {
  readonly name: string;
  readonly text: string;
}

export type Level = "ok" | "unknown" | "warning" | "error";

export interface Finding {
  readonly level: Level;
  readonly text: string;
  readonly advice: string;
  readonly field: string;
  /** An answer for that field that would be better. */
  readonly offer: Tree | null;
  readonly lines: readonly string[];
}

export interface Checked {
  readonly faults: readonly Fault[];
  readonly checks: readonly { readonly name: string; readonly title: string; readonly findings: readonly Finding[] }[];
}

export interface Reviewed {
  readonly words: readonly { readonly step: string; readonly title: string; readonly words: readonly string[] }[];
  readonly faults: readonly Fault[];
  /** Words to be typed for what was asked; empty: none. */
  readonly confirm: string;
}

export interface Done {
  readonly administrator: string;
  readonly hostname: string;
  /** Port of the console from then on. */
  readonly console: number;
  /** What went wrong once everything was written, in sentences. */
  readonly warnings: readonly string[];
  readonly made: readonly { readonly user: string; readonly password: string }[];
}

export interface Progress {
  readonly progress?: string;
  readonly done?: Done;
}

let csrf = "";

/** Lets the person give the code once more; set by the page. What was asked goes on afterwards. */
export const gate = { askCode: (): Promise<void> => Promise.reject(new ApiError(401, { text: "No page is open." })) };

const http = new Http(
  {
    signIn: () => gate.askCode(),
    prove: () => Promise.reject(new ApiError(403, { text: "Setting up asks for no password." })),
    csrf: () => Promise.resolve(csrf),
  },
  worded,
);

export interface State {
  /** `applying`: somebody has pressed the last button; `done`: the server starts. */
  readonly state: "open" | "applying" | "done";
  /** Whether this browser has given the code. */
  readonly signed_in: boolean;
  readonly csrf?: string;
}

export async function state(): Promise<State> {
  const { result } = await http.call<State>("GET", "/api/setup", { alone: true });
  csrf = result.csrf ?? "";
  return result;
}

/** The answers so far, of this browser before it was loaded anew or of another. */
export interface Draft {
  readonly answers: Tree;
  /** Fields with an answer that is not sent back: passwords and files. */
  readonly withheld: readonly string[];
  /** The step that was reached. */
  readonly at: string;
  readonly revision: number;
}

export const draft = async (): Promise<Draft> => (await http.call<Draft>("GET", "/api/setup/draft")).result;

/** The new revision. ApiError 409: another browser has changed the answers. */
export async function keep(answers: Tree, at: string, revision: number): Promise<number> {
  const { result } = await http.call<{ revision: number }>("POST", "/api/setup/draft", {
    body: { answers, at, revision },
  });
  return result.revision;
}

/** ApiError: 401 for a wrong code, 429 after too many. */
export async function enter(code: string): Promise<void> {
  const { result } = await http.call<{ csrf: string }>("POST", "/api/setup/session", { body: { code }, alone: true });
  csrf = result.csrf;
}

export async function steps(answers: Tree): Promise<readonly Step[]> {
  return (await http.call<{ steps: readonly Step[] }>("POST", "/api/setup/steps", { body: { answers } })).result.steps;
}

/** The checks that are always made; or the one called `name`. */
export async function check(step: string, answers: Tree, name = "", signal?: AbortSignal): Promise<Checked> {
  return (await http.call<Checked>("POST", "/api/setup/check", { body: { step, answers, check: name }, signal }))
    .result;
}

export async function review(answers: Tree): Promise<Reviewed> {
  return (await http.call<Reviewed>("POST", "/api/setup/review", { body: { answers } })).result;
}

export const apply = (answers: Tree): AsyncGenerator<Progress, void> =>
  http.items<Progress>("POST", "/api/setup/apply", { body: { answers } });
