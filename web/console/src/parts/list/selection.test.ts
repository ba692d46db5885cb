import { expect, test } from "vitest";
import { extended, NONE, toggled } from "./selection.ts";

const ORDER = ["a", "b", "c", "d"];

test("Shift selects from the anchor to the row, both ways", () => {
  const from = toggled(NONE, "c");
  expect([...extended(from, "a", ORDER).ids].toSorted()).toEqual(["a", "b", "c"]);
  expect([...extended(from, "d", ORDER).ids].toSorted()).toEqual(["c", "d"]);
});

test("an anchor that has left the list is none", () => {
  expect([...extended({ ids: new Set(), anchor: "gone" }, "b", ORDER).ids]).toEqual(["b"]);
});
