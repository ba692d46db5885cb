import { ApiError } from "@shared/errors.ts";
import { expect, test } from "vitest";
import { faultsIn, rowsOf, skippedIn } from "./table.ts";

test("faults come by line, and how many were not named", () => {
  const error = new ApiError(422, {
    text: "No user was taken:\nline 9: b\nline 2: a\nand 40 more",
    fields: [
      { name: "line 9", text: "b" },
      { name: "line 2", text: "a" },
    ],
  });
  expect(faultsIn(error)).toEqual({
    faults: [
      { line: 2, text: "a" },
      { line: 9, text: "b" },
    ],
    more: 40,
  });
});

test("what is wrong with the file as a whole has no line", () => {
  const whole = new ApiError(400, { text: "holds no users", fields: [{ name: "file", text: "holds no users" }] });
  expect(faultsIn(whole).faults).toEqual([{ line: 0, text: "holds no users" }]);
  expect(faultsIn(new ApiError(403, { text: "no right" })).faults).toEqual([{ line: 0, text: "no right" }]);
  expect(faultsIn("x").faults).toEqual([{ line: 0, text: "x" }]);
});

test("lines that were left out", () => {
  expect(skippedIn(["line 3: quota: 'x' is no size", "what else"])).toEqual([
    { line: 3, text: "quota: 'x' is no size" },
    { line: 0, text: "what else" },
  ]);
});

test("rows are counted without the heading and empty lines", () => {
  expect(rowsOf("address\r\na@x\r\n\r\nb@x\r\n")).toBe(2);
  expect(rowsOf("")).toBe(0);
});
