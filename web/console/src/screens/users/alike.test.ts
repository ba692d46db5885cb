import { expect, test } from "vitest";
import { asFields, sharedOf } from "./alike.ts";

const ANNA = { address: "Anna@example.org", quota: "2G", rights: "domain" };
const GROUPS = [
  { group: "staff@example.org", members: ["anna@example.org", "bob@example.org"] },
  { group: "board@example.org", members: ["bob@example.org"] },
];
const ALIASES = [
  { alias: "info@example.org", to: ["bob@example.org", "ANNA@example.org"] },
  { alias: "press@example.org", to: ["bob@example.org"] },
];

test("what a colleague has is what names the colleague, and the quota", () => {
  const ids = sharedOf(ANNA, GROUPS, ALIASES, () => true).map((each) => each.id);
  expect(ids).toEqual(["group staff@example.org", "alias info@example.org", "quota 2147483648", "rights domain"]);
});

test("rights that the caller may not give are not offered", () => {
  expect(sharedOf(ANNA, [], [], () => false).some((each) => each.kind === "rights")).toBe(false);
});

test("no quota and no rights are nothing to take over", () => {
  expect(sharedOf({ address: "bob@example.org", quota: 0, rights: "none" }, GROUPS.slice(2), [], () => true)).toEqual(
    [],
  );
});

test("quota and rights go into the new record, groups and aliases do not", () => {
  expect(asFields(sharedOf(ANNA, GROUPS, ALIASES, () => true))).toEqual({ quota: "2147483648", rights: "domain" });
});
