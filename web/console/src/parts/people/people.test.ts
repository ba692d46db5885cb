import { ApiError } from "@shared/errors.ts";
import { expect, test } from "vitest";
import { addressesIn } from "./AddressInput.tsx";
import { faultsOf } from "../form/faults.ts";
import { without } from "./removal.ts";

test("addresses as people paste them", () => {
  expect(addressesIn("Anna A <anna@x.test>, bob@x.test;carol\n\n dave@x.test ")).toEqual([
    "anna@x.test",
    "bob@x.test",
    "carol",
    "dave@x.test",
  ]);
  expect(addressesIn(" , ;")).toEqual([]);
});

test("a refusal lands on its field, and otherwise below all", () => {
  const fields = [{ name: "name" }, { name: "to" }];
  const refused = (name: string) => new ApiError(400, { text: "whole", fields: [{ name, text: "why" }] });
  expect(faultsOf(refused("to.3"), fields)).toEqual({ to: "why" });
  expect(faultsOf(refused("--name"), fields)).toEqual({ name: "why" });
  expect(faultsOf(refused("quota"), fields)).toEqual({ "": "why" });
  expect(faultsOf(new ApiError(422, { text: "whole" }), fields)).toEqual({ "": "whole" });
});

test("what is about to go is not in the list, and not counted", () => {
  const page = { items: [{ id: "a" }, { id: "b" }], more: "", total: 2 };
  expect(without(page, (row) => row.id, new Set(["a"]))).toEqual({ items: [{ id: "b" }], more: "", total: 1 });
  expect(without(page, (row) => row.id, new Set(["z"]))).toEqual(page);
});
