import { afterEach, expect, test, vi } from "vitest";
import { ApiError } from "@shared/errors.ts";
import { Http, queryText } from "@shared/http.ts";

const json = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });

function answering(...answers: Response[]) {
  const sent: { url: string; init: RequestInit }[] = [];
  vi.stubGlobal("fetch", (url: string, init: RequestInit) => {
    sent.push({ url, init });
    const answer = answers.shift();
    return answer ? Promise.resolve(answer) : Promise.reject(new TypeError("network"));
  });
  const gate = {
    signIn: vi.fn(() => Promise.resolve()),
    prove: vi.fn(() => Promise.resolve()),
    csrf: vi.fn((fresh: boolean) => Promise.resolve(fresh ? "new" : "old")),
  };
  return { sent, gate, http: new Http(gate) };
}

const header = (init: RequestInit, name: string) => (init.headers as Record<string, string>)[name];

afterEach(() => vi.unstubAllGlobals());

test("a request that meets the end of the session is sent again after signing in", async () => {
  const { http, gate, sent } = answering(
    json(401, { error: {} }),
    json(200, { result: 5, warnings: ["w"] }, { etag: '"v1"' }),
  );
  const answer = await http.call("PATCH", "/api/admin/settings", { body: { a: 1 } });
  expect(answer).toEqual({ result: 5, warnings: ["w"], version: "v1", operation: "", change: "" });
  expect(gate.signIn).toHaveBeenCalledOnce();
  expect(sent[0]?.init.body).toBe(sent[1]?.init.body);
});

test("whoever does not sign in again gets the refusal", async () => {
  const { http, gate } = answering(json(401, { error: {} }));
  gate.signIn.mockRejectedValueOnce(new ApiError(401, {}));
  await expect(http.call("GET", "/x")).rejects.toThrow(ApiError);
});

test("what needs the password once more waits for it, and is then sent again", async () => {
  const asked = () => json(403, { error: { kind: "reauthenticate", text: "again" } });
  const { http, gate, sent } = answering(asked(), json(200, { result: 1 }), asked(), asked());
  await http.call("POST", "/x", { body: { a: 1 } });
  expect(gate.prove).toHaveBeenCalledOnce();
  expect(sent[0]?.init.body).toBe(sent[1]?.init.body);
  gate.prove.mockRejectedValueOnce(new ApiError(403, { text: "not given" }));
  await expect(http.call("GET", "/y")).rejects.toThrow("not given");
  // The request that gives it does not wait for itself.
  await expect(http.call("POST", "/z", { body: {}, proving: true })).rejects.toThrow("again");
  expect(gate.prove).toHaveBeenCalledTimes(2);
});

test("a token that another tab has made old is asked for anew, once", async () => {
  const { http, sent } = answering(
    json(403, { error: {} }),
    json(403, { error: { kind: "forbidden", text: "no right" } }),
  );
  await expect(http.call("POST", "/x", { body: {} })).rejects.toThrow("no right");
  expect(sent.map(({ init }) => header(init, "x-csrf-token"))).toEqual(["old", "new"]);
});

test("reading sends no token, changing sends it and the version", async () => {
  const { http, sent } = answering(json(200, { result: 1 }), json(200, { result: 1 }));
  await http.call("GET", "/x");
  await http.call("POST", "/x", { body: {}, ifMatch: "v7" });
  expect(header(sent[0]?.init ?? {}, "x-csrf-token")).toBeUndefined();
  expect(header(sent[1]?.init ?? {}, "if-match")).toBe('"v7"');
});

test("faults, words to confirm and the time to wait come with the error", async () => {
  const error = {
    kind: "invalid",
    text: "Wrong.",
    fields: [{ name: "smtp/hostname", text: "no host" }],
    confirm: "open",
  };
  const { http } = answering(json(429, { error }, { "retry-after": "30" }));
  await expect(http.call("GET", "/x")).rejects.toMatchObject({
    status: 429,
    retryAfter: 30,
    confirm: "open",
    fields: error.fields,
  });
});

test("a server that is not there is an error with status 0", async () => {
  const { http } = answering();
  await expect(http.call("GET", "/x")).rejects.toMatchObject({ status: 0, kind: "unreachable", temporary: true });
});

const lines = (text: string) => new Response(text, { headers: { "content-type": "application/x-ndjson" } });

async function all(items: AsyncGenerator<unknown>): Promise<unknown[]> {
  const got: unknown[] = [];
  for await (const item of items) got.push(item);
  return got;
}

test("a stream gives its items, and one that is cut off fails", async () => {
  const { http } = answering(
    lines('{"item":1}\n{"item":2}\n{"end":true}\n'),
    lines('{"item":1}\n'),
    lines('{"error":{"text":"gone"}}\n'),
  );
  expect(await all(http.items("GET", "/x"))).toEqual([1, 2]);
  await expect(all(http.items("GET", "/x"))).rejects.toThrow("broke off");
  await expect(all(http.items("GET", "/x"))).rejects.toThrow("gone");
});

test("what is empty is left out of a query, and lists are repeated", () => {
  expect(queryText({ a: "", b: null, c: 0, d: ["x", "y&z"], e: false })).toBe("?c=0&d=x&d=y%26z&e=false");
});
