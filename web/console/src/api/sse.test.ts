import { expect, test } from "vitest";
import { EventParser } from "@shared/sse.ts";

const STREAM = ': hello\n\nevent: queue\nid: 7\ndata: {"a":1}\n\ndata: one\r\ndata: two\r\n\r\nid: 9\n\n';

test("any chunking gives the same events", () => {
  const whole = new EventParser();
  const expected = whole.feed(STREAM);
  expect(expected).toEqual([
    { topic: "queue", id: "7", data: '{"a":1}' },
    { topic: "message", id: "7", data: "one\ntwo" },
  ]);
  const bits = new EventParser();
  expect([...STREAM].flatMap((bit) => bits.feed(bit))).toEqual(expected);
  expect(bits.id).toBe("9");
});

test("an event without an end does not fill the memory", () => {
  const parser = new EventParser();
  expect(() => parser.feed(`data: ${"x".repeat(9 << 20)}`)).toThrow();
});
