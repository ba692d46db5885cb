import { expect, test } from "vitest";
import { detail, direct, domainOf, full, sample, type Step, tagged } from "./way.ts";

const step = (part: Partial<Step>): Step => ({
  depth: 0,
  address: "a@x.test",
  is_a: "user",
  kind: "user",
  leads_to: [],
  keeps: false,
  ...part,
});

test("an address that a pattern takes", () => {
  expect(sample("shop-*@x.test")).toBe("shop-any@x.test");
  expect(sample("*@x.test")).toBe("anything@x.test");
  expect(sample("room?@x.test")).toBe("roomx@x.test");
  expect(sample('"a*b@c"@x.test')).toBe('"aanyb@c"@x.test');
  expect(sample("info")).toBe("info");
});

test("a bare name is of the record's domain", () => {
  expect(full("anna", "x.test")).toBe("anna@x.test");
  expect(full("anna@y.test", "x.test")).toBe("anna@y.test");
  expect(domainOf("a@b@x.test")).toBe("x.test");
  expect(domainOf("anna")).toBe("");
});

test("what a step says beside its kind", () => {
  expect(detail(step({ kind: "refused", is_a: "refused: no such user" }))).toBe("no such user");
  expect(detail(step({ kind: "alias", is_a: "alias (shop-*@x.test)" }))).toBe("shop-*@x.test");
  expect(detail(step({ kind: "alias", is_a: "alias (A@x.test)" }))).toBe("");
  expect(tagged(step({ is_a: "user, with a tag" }))).toBe(true);
});

test("what an address leads to directly, whatever its case", () => {
  const steps = [step({}), step({ depth: 1, address: "Bob@x.test" }), step({ depth: 2, address: "eve@x.test" })];
  expect([...direct(steps).keys()]).toEqual(["bob@x.test"]);
});
