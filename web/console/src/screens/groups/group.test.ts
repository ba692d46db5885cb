import { expect, test } from "vitest";
import { matching } from "./group.ts";

test("members are sought by a part of their address, in any case", () => {
  const members = ["Anna@x.test", "bob@y.test"];
  expect(matching(members, " anna ")).toEqual(["Anna@x.test"]);
  expect(matching(members, "@Y")).toEqual(["bob@y.test"]);
  expect(matching(members, "  ")).toBe(members);
  expect(matching(members, "carol")).toEqual([]);
});
