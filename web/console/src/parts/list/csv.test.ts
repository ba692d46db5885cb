import { expect, test } from "vitest";
import { cell, csv } from "./csv.ts";

test.each([
  ["=HYPERLINK(1)", "'=HYPERLINK(1)"],
  ["+49 30", "'+49 30"],
  ["-rf", "'-rf"],
  ["@SUM(A1)", "'@SUM(A1)"],
  ["\tx", "'\tx"],
  ['=1,"2"', '"\'=1,""2"""'],
])("a cell that a spreadsheet would run is defused: %j", (value, written) => {
  expect(cell(value)).toBe(written);
});

test.each([
  [-5, "-5"],
  ["-1.5", "-1.5"],
  [0, "0"],
  [null, ""],
  [undefined, ""],
  ["a;b", '"a;b"'],
])("other cells are as they are: %j", (value, written) => {
  expect(cell(value)).toBe(written);
});

test("lines end as RFC 4180 says", () => {
  expect(csv(["a", "b"], [[1, "x\ny"]])).toBe('a,b\r\n1,"x\ny"\r\n');
});
