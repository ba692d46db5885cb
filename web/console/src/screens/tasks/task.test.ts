import { expect, test } from "vitest";
import { sought } from "@/screens/connections/connection.ts";
import { settingOf } from "@/screens/dashboard/status.ts";
import { keepEnded, type TaskRow } from "./task.ts";

const task = (id: string) => ({ id, percent: 50 }) as TaskRow;

test("a delivery that is over stays in its place for a moment, and no longer", () => {
  const first = keepEnded([], [task("a"), task("b")], 0);
  const over = keepEnded(first, [task("b"), task("c")], 100);
  expect(over.map((row) => [row.id, row.ended])).toEqual([
    ["a", 100],
    ["b", undefined],
    ["c", undefined],
  ]);
  expect(keepEnded(over, [task("b")], 2000).map((row) => row.id)).toEqual(["a", "b", "c"]);
  expect(keepEnded(over, [task("b")], 4000).map((row) => row.id)).toEqual(["b", "c"]);
});

test.each([
  ["anna", { user: "anna" }],
  ["192.0.2.0/24", { address: "192.0.2.0/24" }],
  ["2001:db8::1", { address: "2001:db8::1" }],
  ["abc", { user: "abc" }],
  [" ", {}],
])("%s is sought as a name or as an address", (text, query) => {
  expect(sought(text)).toEqual(query);
});

test("a sentence that begins with a setting leads to it", () => {
  expect(settingOf("server/run-as: root is root")).toBe("server/run-as");
  expect(settingOf("pop3 is refused: 127.0.0.1:110")).toBe("");
});
