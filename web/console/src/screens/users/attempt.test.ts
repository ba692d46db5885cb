import { expect, test } from "vitest";
import { type Attempt, recentFailures, runs } from "./attempt.ts";

const attempt = (at: string, part: Partial<Attempt> = {}): Attempt => ({
  at,
  outcome: "failed",
  service: "imap",
  name: "anna@x.test",
  address: "192.0.2.1",
  method: "plain",
  reason: "wrong password",
  cause: "password",
  ...part,
});

test("attempts that are alike become one line, with how many and since when", () => {
  const made = runs([attempt("9"), attempt("8"), attempt("7", { address: "192.0.2.2" }), attempt("6")]);
  expect(made.map(({ last, count, first }) => [last.at, count, first])).toEqual([
    ["9", 2, "8"],
    ["7", 1, "7"],
    ["6", 1, "6"],
  ]);
  expect(runs([])).toEqual([]);
});

test("what failed since the last success counts, and other names do not", () => {
  const all = [
    attempt("9"),
    attempt("8", { name: "ana@x.test", cause: "name" }),
    attempt("7", { outcome: "locked", cause: "locked" }),
    attempt("6", { outcome: "ok", cause: "" }),
    attempt("5"),
  ];
  expect(recentFailures(all, "Anna@x.test").map((each) => each.at)).toEqual(["9", "7"]);
  expect(recentFailures(all.slice(0, 3), "anna@x.test")).toHaveLength(2);
});
