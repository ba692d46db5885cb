import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { fieldsOf, filterOf, nameOf, parsed, pattern, spans, split } from "./line.ts";
import { LogModel, type LogReader, MOST } from "./model.ts";

const LINE =
  "[30/Nov/2026 10:04:47] Recv: Queue-ID: 6b0d4a3f-013f02be, From: <a@x.test>, To: <b@y.test>, <c@y.test>, Subject: Hi, Bob: yes";

describe("a line", () => {
  test("has a time, a title and fields; lists stay whole", () => {
    const { time, title, rest } = parsed(LINE);
    expect([time, title]).toEqual(["30/Nov/2026 10:04:47", "Recv"]);
    expect(Object.fromEntries(fieldsOf(rest))).toMatchObject({
      To: "<b@y.test>, <c@y.test>",
      "Queue-ID": "6b0d4a3f-013f02be",
    });
  });

  test("that is none of ours is shown as it is", () => {
    expect(parsed("  File x.py, line 3")).toEqual({ time: "", title: "", rest: "  File x.py, line 3" });
  });

  test("of several logs says of which; a title is no log", () => {
    expect(split(`spam: ${LINE}`, "")).toEqual({ log: "spam", text: LINE });
    expect(split(LINE, "mail")).toEqual({ log: "mail", text: LINE });
  });

  test("is cut in pieces that make the whole again", () => {
    const made = spans(LINE, pattern("bob"), [{ text: "a@x", colour: "warn" }]);
    expect(made.map((each) => each.text).join("")).toBe(LINE);
    expect(made.filter((each) => each.kind !== "plain").map((each) => each.kind)).toEqual(["id", "rule", "mark"]);
  });

  test("a search that could be an expression is none", () => {
    expect(pattern("a.b(")?.test("a.b(")).toBe(true);
    expect(pattern("/[/")).toBeNull();
  });

  test("the same line has the same name, another one another", () => {
    expect(nameOf(LINE)).toBe(nameOf(LINE));
    expect(nameOf(LINE)).not.toBe(nameOf(`${LINE}.`));
  });
});

test.each([
  ["/time.out/", { regex: "time.out" }],
  ["6b0d4a3f-013f02be", { id: "6b0d4a3f-013f02be" }],
  ["a@x.test", { address: "a@x.test" }],
  ["192.0.2.1", { host: "192.0.2.1" }],
  ["10:04:47", { text: "10:04:47" }],
  ["two words", { text: "two words" }],
])("%s is sought by the best index", (text, filter) => {
  expect(filterOf(text)).toEqual(filter);
});

describe("a live log", () => {
  let write: (line: string) => void;
  const lines: LogReader = {
    page: async () => ({
      items: [{ log: "mail", at: "2026-11-30T10:04:47Z", text: "[30/Nov/2026 10:04:47] one" }],
      more: "",
      note: "",
    }),
    async *follow(_, signal) {
      const came: string[] = [];
      let wake: () => void = () => undefined;
      write = (line) => (came.push(line), wake());
      signal.addEventListener("abort", () => wake());
      while (!signal.aborted) {
        while (came.length) yield came.shift() ?? "";
        // oxlint-disable-next-line no-await-in-loop
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
  let model: LogModel;
  beforeEach(async () => {
    vi.useFakeTimers();
    model = new LogModel(lines);
    await model.ask({ logs: ["mail"], search: "", since: "", until: "", at: "" });
  });
  afterEach(() => (model.close(), vi.useRealTimers()));
  const texts = () => model.get().lines.map((line) => line.skipped ?? line.text);
  const tick = () => vi.advanceTimersByTimeAsync(300);

  test("shows what is written", async () => {
    write("[30/Nov/2026 10:04:48] two");
    await tick();
    expect(texts()).toEqual(["[30/Nov/2026 10:04:47] one", "[30/Nov/2026 10:04:48] two"]);
  });

  test("has a line once that both the page and the stream tell", async () => {
    write("[30/Nov/2026 10:04:47] one");
    await tick();
    expect(texts()).toHaveLength(1);
  });

  test("lets new lines wait while somebody reads further up", async () => {
    model.pause(true);
    write("[30/Nov/2026 10:04:48] two");
    await tick();
    expect([texts().length, model.get().waiting]).toEqual([1, 1]);
    model.pause(false);
    expect([texts().length, model.get().waiting]).toEqual([2, 0]);
  });

  test("says how many lines came too fast", async () => {
    for (let at = 0; at < 125; at++) write(`[30/Nov/2026 10:04:48] line ${at}`);
    await tick();
    expect(texts()[1]).toBe(100);
    expect(texts().at(-1)).toContain("line 124");
  });

  test("reads what was written while the stream was broken", async () => {
    let broken = true;
    const pages = [["one"], ["one", "missed"]];
    const reader: LogReader = {
      page: async () => ({
        items: (pages.shift() ?? []).map((text) => ({ log: "mail", at: "2026-11-30T10:04:47Z", text })),
        more: "",
        note: "",
      }),
      // oxlint-disable-next-line require-yield
      async *follow() {
        if (broken) throw new Error("reset");
        await new Promise(() => undefined);
      },
    };
    const other = new LogModel(reader);
    await other.ask({ logs: ["mail"], search: "", since: "", until: "", at: "" });
    await tick();
    expect(other.get().live).toBe("retrying");
    broken = false;
    await vi.advanceTimersByTimeAsync(5000);
    expect(other.get().live).toBe("on");
    expect(other.get().lines.map((line) => line.text)).toEqual(["one", "missed"]);
    other.close();
  });

  test("keeps no more lines than a browser can hold", async () => {
    for (let at = 0; at < MOST / 25 + 2; at++) {
      for (let each = 0; each < 25; each++) write(`[30/Nov/2026 10:04:48] ${at} ${each}`);
      // oxlint-disable-next-line no-await-in-loop
      await tick();
    }
    expect(texts()).toHaveLength(MOST);
  });
});
