import { expect, test } from "vitest";
import { gist, recognise, score } from "./find.ts";

test.each([
  ["anna@example.org", "address"],
  ["<7c1e-4f0a@example.com>", "message-id"],
  ["198.51.100.7", "ip"],
  ["2001:db8::7", "ip"],
  ["6b0d45f6-00000007", "queue-id"],
  ["hostname", null],
  ["a b@c", null],
])("%s is %s", (text, kind) => {
  expect(recognise(text)).toBe(kind);
});

test("of a whole bounce the Message-ID is taken", () => {
  const bounce = `This is the mail system at host mx.example.com.\n\nMessage-ID: <abc@example.org>\nTo: anna@example.org\n`;
  expect(gist(bounce)).toBe("<abc@example.org>");
});

test("titles count more than help, beginnings more than middles, and all words must be there", () => {
  expect(score("size", "Size limit", "")).toBeGreaterThan(score("size", "Maximum size", ""));
  expect(score("size", "Maximum size", "")).toBeGreaterThan(score("size", "Limit", "the largest size"));
  expect(score("size zebra", "Maximum size", "")).toBe(0);
  expect(score("größe", "Größe", "")).toBeGreaterThan(0);
});
