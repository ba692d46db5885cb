/** The admin calls by noun and verb. What only reads goes as GET, so that a proxy or a browser may ask again. */
import type { Answer, Query } from "@shared/http.ts";
import { say } from "./said.ts";
import { http } from "./session.ts";

export interface CallOptions {
  /** Only validates. */
  check?: boolean;
  /** Words that something dangerous asks for. */
  confirm?: string;
  /** Seconds that the server waits before it begins, while `undo` can take it back. */
  undo?: number;
  /** Do not wait for the end of long work: the answer has the id of the operation. */
  later?: boolean;
  ifMatch?: string;
  signal?: AbortSignal | undefined;
}

const at = (noun: string, verb: string) => `/api/admin/${noun}${verb && `/${verb}`}`;

export async function read<T>(noun: string, verb: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return (await http.call<T>("GET", at(noun, verb), { query, signal })).result;
}

/** As `read`, with the version for a later change. */
export async function readVersion<T>(
  noun: string,
  verb: string,
  query: Query = {},
  signal?: AbortSignal,
): Promise<Answer<T>> {
  return http.call<T>("GET", at(noun, verb), { query, signal });
}

export async function run<T>(noun: string, verb: string, body: object, options: CallOptions = {}): Promise<Answer<T>> {
  const { check, confirm, undo, later, ifMatch, signal } = options;
  return http.call<T>("POST", at(noun, verb), {
    body,
    query: { check: check ? 1 : null, confirm, undo: undo ?? null, wait: undo || later ? 0 : null },
    ...(ifMatch ? { ifMatch } : {}),
    signal,
  });
}

export function stream<T>(
  noun: string,
  verb: string,
  query: Query = {},
  signal?: AbortSignal,
): AsyncGenerator<T, void> {
  return http.items<T>("GET", at(noun, verb), { query, signal });
}

/** As `stream`, of a call that does something. */
export function runStream<T>(noun: string, verb: string, body: object, signal?: AbortSignal): AsyncGenerator<T, void> {
  return http.items<T>("POST", at(noun, verb), { body, signal });
}

/** What the server asks before it does something that cannot be undone; empty if nothing. */
export async function question(noun: string, verb: string, body: object): Promise<string> {
  const response = await http.send("POST", at(noun, verb), { body, query: { question: 1 } });
  return say(((await response.json()) as { question?: string }).question ?? "");
}

/** A page of a list, as all lists answer. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page begins; empty at the end. */
  readonly more: string;
  /** Of all that match; servers that do not count leave it out. */
  readonly total?: number;
}
