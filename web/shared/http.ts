/** Requests to the API of this server: session cookie, CSRF header, versions, streams of JSON lines.
 *
 * A request that meets the end of the session waits for `Gate.signIn` and is then sent again, so nothing that a person
 * typed is lost. Throws `ApiError`, or the `AbortError` of the given signal.
 */
import { ApiError, errorOf } from "./errors.ts";

export interface Answer<T> {
  readonly result: T;
  readonly warnings: readonly string[];
  /** For `ifMatch` of the next change; empty if the server gave none. */
  readonly version: string;
  /** Set if the work goes on by itself: the id for `operation watch` and `cancel`. */
  readonly operation: string;
  /** The id by which `change undo` takes back what was changed; empty if nothing was. */
  readonly change: string;
}

export interface Gate {
  /** The session is over: lets the person sign in again. Rejects if they do not. */
  signIn(): Promise<void>;
  /** The server wants the password once more: asks for it. Rejects if it is not given. */
  prove(): Promise<void>;
  /** The token of the session as it is now; asks the server again if `fresh`. */
  csrf(fresh: boolean): Promise<string>;
}

export type Query = Record<string, string | number | boolean | readonly string[] | null | undefined>;

export interface Options {
  readonly query?: Query;
  readonly body?: unknown;
  readonly ifMatch?: string;
  readonly signal?: AbortSignal | undefined;
  /** The same request, which was sent already. */
  readonly begun?: Promise<Response> | undefined;
  /** Do not ask to sign in again: this request is part of signing in. */
  readonly alone?: boolean;
  /** This request is the one that gives the password once more. */
  readonly proving?: boolean;
}

type Method = "GET" | "POST" | "PATCH" | "DELETE";

export class Http {
  constructor(
    private readonly gate: Gate,
    /** Puts what the server says in an answer to this path into the language that is read. */
    private readonly worded: (path: string, answer: unknown) => unknown = (_path, answer) => answer,
  ) {}

  async call<T>(method: Method, path: string, options: Options = {}): Promise<Answer<T>> {
    const response = await this.send(method, path, options);
    const body = (response.status === 204 ? {} : await parsed(response)) as Partial<Answer<T>>;
    const tag = /^"([^"]+)"$/.exec(response.headers.get("etag") ?? "")?.[1] ?? "";
    return {
      result: this.worded(path, body.result) as T,
      warnings: (body.warnings ?? []).map((text) => ApiError.worded(text)),
      version: tag || (body.version ?? ""),
      operation: body.operation ?? "",
      change: body.change ?? "",
    };
  }

  /** The items of a stream. Ends by itself; a stream that was cut off throws. */
  async *items<T>(method: Method, path: string, options: Options = {}): AsyncGenerator<T, void> {
    const response = await this.send(method, path, options);
    for await (const line of lines(response)) {
      const said = JSON.parse(line) as { item?: T; end?: boolean; error?: ConstructorParameters<typeof ApiError>[1] };
      if (said.error) throw new ApiError(response.status, said.error);
      if (said.end) return;
      if (said.item !== undefined) yield this.worded(path, said.item) as T;
    }
    throw new ApiError(0, { kind: "unreachable", text: "The answer broke off before its end." });
  }

  /** The bare answer of a request that succeeded. */
  async send(method: Method, path: string, options: Options = {}): Promise<Response> {
    let fresh = false;
    for (let attempt = 0; ; attempt++) {
      // oxlint-disable-next-line no-await-in-loop -- each attempt follows from the one before
      const response = await this.once(method, path, options, fresh);
      if (response.ok) return response;
      // oxlint-disable-next-line no-await-in-loop
      const error = await errorOf(response);
      // A password that was wrong is not sent twice.
      const again = error.kind === "reauthenticate";
      if (options.alone || attempt > 1 || (again && options.proving)) throw error;
      if (response.status === 401) {
        // oxlint-disable-next-line no-await-in-loop
        await this.gate.signIn();
      } else if (again) {
        // oxlint-disable-next-line no-await-in-loop
        await this.gate.prove();
      } else if (response.status === 403 && method !== "GET" && !fresh) {
        // Another tab may have signed in anew: the token of this one is then out of date.
        fresh = true;
      } else {
        throw error;
      }
    }
  }

  private async once(method: Method, path: string, options: Options, fresh: boolean): Promise<Response> {
    const headers: Record<string, string> = { accept: "application/json" };
    if (method !== "GET") {
      headers["content-type"] = "application/json";
      if (!options.alone) headers["x-csrf-token"] = await this.gate.csrf(fresh);
    }
    if (options.ifMatch) headers["if-match"] = `"${options.ifMatch}"`;
    const init: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store" };
    if (options.signal) init.signal = options.signal;
    if (options.body !== undefined) init.body = JSON.stringify(options.body);
    try {
      return await (options.begun ?? fetch(path + queryText(options.query), init));
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw ApiError.unreachable(error);
    }
  }
}

/** `?a=1&b=x&b=y`; what is empty is left out. */
export function queryText(query: Query = {}): string {
  const made = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === "") continue;
    for (const each of Array.isArray(value) ? value : [value]) made.append(name, String(each));
  }
  const text = made.toString();
  return text && `?${text}`;
}

async function parsed(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    throw new ApiError(response.status, { kind: "failed", text: `The server's answer is no JSON (${String(error)}).` });
  }
}

async function* lines(response: Response): AsyncGenerator<string, void> {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- a stream is read in its order
      const { done, value } = await reader.read();
      if (done) break;
      const parts = (rest + value).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) if (part) yield part;
    }
    if (rest) yield rest;
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}
