import { expect, test } from "vitest";
import { linkOf, moodOf, nameFault, unsaved } from "./server.ts";

const values = { "servers/server[mx1]/url": { value: "https://mx1.example.org:44337", set: true } };

test("only https addresses become links", () => {
  expect(linkOf("https://mx2.example.org:44337")).toBe("https://mx2.example.org:44337");
  expect(linkOf("https://[2001:db8::1]:44337/")).toBe("https://[2001:db8::1]:44337/");
  for (const bad of ["javascript:alert(1)", "http://mx2", "https://user@mx2", "https://mx2/x?y", ""]) {
    expect(linkOf(bad)).toBe("");
  }
});

test("a new server has a name that nobody has", () => {
  const state = { values, edits: { "servers/server[mx2]/url": "" } };
  expect(nameFault("mx3", state)).toBe("");
  expect(nameFault("mx1", state)).toBe("taken");
  expect(nameFault("mx2", state)).toBe("taken");
  expect(nameFault("a b", state)).toBe("form");
  expect(nameFault("", state)).toBe("form");
});

test("what was typed and not saved is known as such", () => {
  expect(unsaved({ values, edits: { "servers/server[mx2]/url": "", "servers/server[mx1]/url": "x" } })).toEqual([
    "mx2",
  ]);
});

test("whatever state is not known to be good is an error", () => {
  expect(["ok", "warning", "unknown", "refused", "unheard"].map(moodOf)).toEqual([
    "ok",
    "warn",
    "muted",
    "error",
    "error",
  ]);
});
