/** The schema that this server has: every setting is drawn, on a page, and found. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { I18nProvider } from "@lingui/react";
import { i18n } from "@lingui/core";
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import type { ConsoleSchema, Schema } from "@/api/schema.ts";
import { groupsIn, OWN_SCREENS, pageOf, SETTINGS_PAGES, tabOf } from "@/screens/settings/pages.ts";
import { FormContext, type FormState } from "./context.ts";
import { type Field, FORMATS, groupsOf, recordGroups, settingsOf } from "./fields.ts";
import { Form } from "./Form.tsx";

const FILE = resolve("../../src/whimbrel/services/admin/console.json");
const SCHEMA = JSON.parse(readFileSync(FILE, "utf8")) as ConsoleSchema;
const FIELDS = settingsOf(SCHEMA.settings);

afterEach(cleanup);

function formats(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  const own = (schema as Schema).format;
  return [...(typeof own === "string" ? [own] : []), ...Object.values(schema).flatMap(formats)];
}

test("each format of the schema has a widget", () => {
  const used = new Set([...formats(SCHEMA.settings), ...Object.values(SCHEMA.records).flatMap(formats)]);
  expect([...used].filter((format) => !(format in FORMATS))).toEqual([]);
});

test("each setting stands on one tab of one page", () => {
  const groups = groupsOf(SCHEMA.settings);
  const placed = [...SETTINGS_PAGES, ...OWN_SCREENS]
    .flatMap((page) => page.tabs.flatMap((tab) => groupsIn(groups, page.id, tab.id).flatMap((group) => group.fields)))
    .map((field) => field.path);
  expect(placed.toSorted()).toEqual(FIELDS.map((field) => field.path).toSorted());
});

test("a setting that no page knows is on the last one", () => {
  expect([pageOf("unheard/of"), tabOf("unheard/of")]).toEqual(["advanced", "rest"]);
});

test("each setting has a title and a help", () => {
  expect(FIELDS.filter((field) => !field.title || !field.help).map((field) => field.path)).toEqual([]);
});

function draw(fields: readonly Field[]) {
  const values = Object.fromEntries(
    fields.map((field) => [field.path, { value: field.schema.default ?? null, set: false }]),
  );
  const state: FormState = {
    values,
    edits: Object.fromEntries(
      fields.filter((field) => field.schema["x-show-if"]).map((field) => [field.path, field.schema.default ?? null]),
    ),
    edit: () => undefined,
    revert: () => undefined,
    faults: {},
    readOnly: "",
    settings: true,
  };
  const all = fields.map((field) => ({ ...field, schema: { ...field.schema, "x-advanced": false } }));
  return render(
    <I18nProvider i18n={i18n}>
      <MantineProvider>
        <QueryClientProvider client={new QueryClient()}>
          <FormContext value={state}>
            <Form groups={[{ path: "all", title: "All", help: "", fields: all }]} />
          </FormContext>
        </QueryClientProvider>
      </MantineProvider>
    </I18nProvider>,
  );
}

test("each setting is drawn under its title, with its help", () => {
  draw(FIELDS);
  const drawn = document.body.textContent ?? "";
  expect(
    FIELDS.filter((field) => !drawn.includes(field.title) || !drawn.includes(field.help.replaceAll("`", ""))).map(
      (field) => field.path,
    ),
  ).toEqual([]);
  expect(screen.getAllByText("Hostname").length).toBeGreaterThan(0);
});

test.each(Object.keys(SCHEMA.records))("the parts of a %s are drawn", (kind) => {
  const record = SCHEMA.records[kind];
  if (!record) throw new Error(kind);
  const fields = recordGroups(record).flatMap((group) => group.fields);
  draw(fields);
  const drawn = document.body.textContent ?? "";
  expect(fields.filter((field) => !drawn.includes(field.title)).map((field) => field.path)).toEqual([]);
});
