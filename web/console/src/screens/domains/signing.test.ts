import { expect, test } from "vitest";
import { type DomainKey, generationsOf } from "./signing.ts";

const key = (keys: string, published: DomainKey["published"]): DomainKey => ({
  keys,
  state: "signing",
  since: null,
  algorithm: "rsa-sha256",
  published,
  name: `${keys}._domainkey.example.org`,
  record: "v=DKIM1",
});

test("keys that were made together stand together, published if all of them are", () => {
  const made = generationsOf([key("b", "yes"), key("b", "no"), key("a", "yes"), key("a", "unknown")]);
  expect(made.map((each) => [each.name, each.keys.length, each.published])).toEqual([
    ["b", 2, false],
    ["a", 2, true],
  ]);
  expect(generationsOf([])).toEqual([]);
});
