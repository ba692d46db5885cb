import { ApiError } from "@shared/errors.ts";
import { afterEach, expect, test } from "vitest";
import { declared, say, speaks, worded } from "./said.ts";

const shout = { say: (text: string) => text.toUpperCase(), title: (text: string) => `<${text}>` };

afterEach(() => speaks(undefined));

test("without a catalog everything stays as the server says it, the very object", () => {
  const answer = { text: "it is so" };
  expect(worded("/api/admin/doctor", answer)).toBe(answer);
  expect(declared(answer)).toBe(answer);
  expect(say("it is so")).toBe("it is so");
});

test("sentences are put into words, data is not", () => {
  speaks(shout);
  const answer = { checks: [{ check: "disk", text: "it is full", state: "error" }], words: ["one", "two"], name: "n" };
  expect(worded("/api/admin/doctor", answer)).toEqual({
    checks: [{ check: "disk", text: "IT IS FULL", state: "error" }],
    words: ["ONE", "TWO"],
    name: "n",
  });
});

test("lines of logs, files and what a person wrote stay as they are", () => {
  speaks(shout);
  for (const path of ["log:mail", "/api/admin/log/show", "/api/admin/trace", "/api/admin/settings", "/api/session"])
    expect(worded(path, { text: "it is so" })).toEqual({ text: "it is so" });
});

test("errors say it in that language, at fields too", () => {
  speaks(shout);
  const error = new ApiError(422, { text: "not so", fields: [{ name: "quota", text: "too large" }] });
  expect([error.message, error.fields[0]?.text, error.fields[0]?.name]).toEqual(["NOT SO", "TOO LARGE", "quota"]);
});

test("of the schema titles and helps are put into words, values and paths are not", () => {
  speaks(shout);
  expect(declared({ title: "Listen", enum: ["none"], "x-path": "smtp/listen", default: "text" })).toEqual({
    title: "<Listen>",
    enum: ["none"],
    "x-path": "smtp/listen",
    default: "text",
  });
});
