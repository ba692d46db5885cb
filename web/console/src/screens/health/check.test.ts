import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import type { ConsoleSchema } from "@/api/schema.ts";
import { settingsOf } from "@/parts/form/fields.ts";
import { pageOf, pathOf } from "@/screens/settings/pages.ts";
import { byGrade, gradeOf, placeOf } from "./check.ts";

const FOLDER = resolve("../../src/whimbrel/services/health/checks");
const DECLARED = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".py"))
  .flatMap((name) => [...readFileSync(resolve(FOLDER, name), "utf8").matchAll(/"(\/[a-z][\w/?&=-]*)"/g)])
  .map((match) => match[1] ?? "");
const SETTINGS = settingsOf(
  (JSON.parse(readFileSync(resolve("../../src/whimbrel/services/admin/console.json"), "utf8")) as ConsoleSchema)
    .settings,
);

test("each check leads to a screen that is there", () => {
  expect(DECLARED.length).toBeGreaterThan(15);
  expect(DECLARED.filter((screen) => !placeOf({ screen }) && screen !== "/domains")).toEqual([]);
});

test("a check that leads to a setting leads to the screen on which it stands", () => {
  const named = DECLARED.flatMap((screen) => placeOf({ screen }) ?? []).filter(({ search }) => search.setting);
  expect(named.length).toBeGreaterThan(2);
  for (const { path, search } of named) {
    expect(SETTINGS.map((field) => field.path)).toContain(search.setting);
    expect(pathOf(pageOf(search.setting ?? ""))).toBe(path);
  }
});

test("a screen of a newer server is no link", () => {
  expect(placeOf({ screen: "/unheard?of=1" })).toBeUndefined();
  expect(placeOf({ screen: "/queue?q=a%20b" })).toEqual({ path: "/queue", search: { q: "a b" } });
});

test("what fails stands first, then what warns, then what nobody knows", () => {
  const rows = ["ok", "unknown", "warning", "error", "unheard"].map((state) => ({ state, grade: gradeOf(state) }));
  expect(byGrade(rows).map((row) => row.state)).toEqual(["error", "warning", "unknown", "unheard", "ok"]);
});
