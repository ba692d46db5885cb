/** Every call that the sources name is one that the server has, with parameters that it takes. */
import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import type { ConsoleSchema } from "./schema.ts";

const SCHEMA = JSON.parse(
  readFileSync(resolve("../../src/whimbrel/services/admin/console.json"), "utf8"),
) as ConsoleSchema;
const CALLS = new Set(SCHEMA.calls.map((call) => `${call.noun} ${call.verb}`.trim()));
const NAMED = /\b(?:read|readVersion|run|stream|question|undoable)(?:<[^()]*>)?\(\s*"([a-z-]+)",\s*"([a-z-]*)"/g;

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.tsx?$/.test(entry.name) && !/\.test\./.test(entry.name) ? [path] : [];
  });
}

test("the console asks for no call that there is not", () => {
  const asked = sources(resolve("src")).flatMap((path) =>
    [...readFileSync(path, "utf8").matchAll(NAMED)].map(([, noun, verb]) => `${noun} ${verb}`.trim()),
  );
  expect(asked.length).toBeGreaterThan(20);
  expect(asked.filter((name) => !CALLS.has(name))).toEqual([]);
});
