import { ApiError } from "@shared/errors.ts";
import { expect, test } from "vitest";
import { faultsOf } from "./faults.ts";

test("a fault stands at its field, and one that fits none is said all the same", () => {
  const error = new ApiError(422, {
    kind: "refused",
    text: "no",
    fields: [
      { name: "--full-name", text: "too long" },
      { name: "user bob@example.test", text: "exists already" },
    ],
  });
  expect(faultsOf(error, [{ name: "full_name" }, { name: "name" }])).toEqual({
    full_name: "too long",
    "": "exists already",
  });
  expect(faultsOf(new Error("gone"), [{ name: "name" }])).toEqual({ "": "gone" });
});
