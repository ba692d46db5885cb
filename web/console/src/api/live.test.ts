import { Live } from "@shared/live.ts";
import { afterEach, expect, test, vi } from "vitest";

/** A stream that a test writes into. */
function stream() {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given;
    },
  });
  return {
    response: new Response(body, { headers: { "content-type": "text/event-stream" } }),
    write: (text: string) => controller.enqueue(new TextEncoder().encode(text)),
    end: () => controller.close(),
  };
}

interface Asked {
  url: string;
  last: string | undefined;
}

function server(...answers: (Response | Error)[]) {
  const asked: Asked[] = [];
  vi.stubGlobal("BroadcastChannel", undefined);
  vi.stubGlobal("fetch", (url: string, init: RequestInit) => {
    asked.push({ url, last: (init.headers as Record<string, string>)["last-event-id"] });
    const answer = answers.shift();
    // Without one more answer the stream simply says nothing.
    if (!answer) return new Promise(() => undefined);
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  });
  return asked;
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const pause = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

test("one stream has the topics of all that follow, and each gets its own", async () => {
  vi.useFakeTimers();
  const one = stream();
  const asked = server(one.response);
  const live = new Live("/api/events", "test", () => Promise.resolve());
  const queue = vi.fn();
  const tasks = vi.fn();
  live.follow("queue", queue);
  live.follow("tasks", tasks);
  await pause(50);
  expect(asked.at(-1)?.url).toBe("/api/events?topics=queue%2Ctasks");
  one.write('event: queue\nid: 4\ndata: {"waiting":3}\n\n');
  await pause(1);
  expect(queue).toHaveBeenCalledWith({ waiting: 3 }, "4");
  expect(tasks).not.toHaveBeenCalled();
  expect(live.status.state).toBe("live");
});

test("who comes later is told the latest of a topic at once", async () => {
  vi.useFakeTimers();
  const one = stream();
  server(one.response);
  const live = new Live("/api/events", "test", () => Promise.resolve());
  live.follow("queue", () => undefined);
  await pause(50);
  one.write("event: queue\nid: 4\ndata: 1\n\nevent: queue\nid: 5\ndata: 2\n\n");
  await pause(1);
  const late = vi.fn();
  live.follow("queue", late);
  expect(late.mock.calls).toEqual([[2, "5"]]);
});

test("a stream that broke is resumed behind the last event", async () => {
  vi.useFakeTimers();
  const one = stream();
  const two = stream();
  const asked = server(one.response, new TypeError("refused"), two.response);
  const live = new Live("/api/events", "test", () => Promise.resolve());
  live.follow("queue", () => undefined);
  await pause(50);
  one.write("event: queue\nid: 9\ndata: 1\n\n");
  await pause(1);
  one.end();
  await pause(10);
  expect(live.status.state).toBe("retrying");
  await pause(60_000);
  expect(asked.slice(0, 3).map(({ last }) => last)).toEqual([undefined, "9", "9"]);
});

test("a session that is over is signed in to again before the stream goes on", async () => {
  vi.useFakeTimers();
  const two = stream();
  const asked = server(new Response("", { status: 401 }), two.response);
  const signIn = vi.fn(() => Promise.resolve());
  const live = new Live("/api/events", "test", signIn);
  live.follow("queue", () => undefined);
  await pause(100);
  expect(signIn).toHaveBeenCalledOnce();
  expect(asked).toHaveLength(2);
});

test("a server that falls silent is asked again", async () => {
  vi.useFakeTimers();
  const asked = server(stream().response);
  const live = new Live("/api/events", "test", () => Promise.resolve());
  live.follow("queue", () => undefined);
  await pause(50);
  await pause(60_000);
  expect(asked.length).toBeGreaterThan(1);
});
