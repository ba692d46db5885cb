import { expect, test } from "vitest";
import { placed, share, sums } from "./storage.ts";

test("sums over all folders", () => {
  const folder = { folder: "INBOX", messages: 2, size: 100, deleted_messages: 1, deleted_size: 10 };
  expect(sums([folder, folder])).toEqual({ messages: 4, size: 200, deletedMessages: 2, deletedSize: 20 });
  expect(sums([]).size).toBe(0);
});

test("a folder below another stands further in", () => {
  expect(placed("Work/2026")).toEqual({ depth: 1, name: "2026" });
  expect(placed("INBOX")).toEqual({ depth: 0, name: "INBOX" });
});

test("progress is a share of the folders, and never above the whole", () => {
  expect(share(2, 4)).toBe(0.5);
  expect(share(5, 4)).toBe(1);
  expect(share(3, 0)).toBe(0);
});
