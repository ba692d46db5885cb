import { expect, test } from "vitest";
import { edited, without } from "./drafts.ts";
import { danger, entryFields, entryKeys, type Field, groupsOf, holds } from "./fields.ts";
import { command, conflicts, written, xml } from "./review.ts";
import { DURATIONS, meant, parseDuration, parseNumber, parseSize, SIZES, wholeSize } from "./units.ts";

const field = (schema: Field["schema"], path = "smtp/max-message-size"): Field => {
  const [group] = groupsOf({ properties: { x: { type: "object", properties: { y: schema } } } });
  const [made] = group?.fields ?? [];
  if (!made) throw new Error("no field");
  return { ...made, path, name: path.split("/").at(-1) ?? "" };
};

test("an edit to what is so already is none", () => {
  expect(edited({ a: 1 }, "a", 5, 5)).toEqual({});
  expect(edited({}, "list", ["x"], ["x"])).toEqual({});
  expect(edited({}, "a", null, 5)).toEqual({ a: null });
  expect(without({ a: 1, b: 2 }, ["a"])).toEqual({ b: 2 });
});

test("conditions of fields: there, equal, unequal", () => {
  const values: Record<string, unknown> = { host: "", transport: "udp", list: ["x"], on: true };
  const now = (name: string) => values[name];
  expect(holds("host", now)).toBe(false);
  expect(holds("!host", now)).toBe(true);
  expect(holds("list", now)).toBe(true);
  expect(holds("transport = udp, tcp", now)).toBe(true);
  expect(holds("transport != udp", now)).toBe(false);
  expect(holds("on = yes", now)).toBe(true);
  expect(holds(undefined, now)).toBe(true);
});

test.each([
  [["no"], true, false, true],
  [["no"], false, true, false],
  [["no"], false, false, false],
  [["::/0"], ["10.0.0.0/8"], ["10.0.0.0/8", "::/0"], true],
  [["::/0"], ["::/0"], ["::/0", "10.0.0.0/8"], false],
  [[], "store", "/srv/store", true],
  [[], "store", "store", false],
])("of the dangerous values %j, %j to %j: %j", (values, before, value, asked) => {
  const schema = { "x-danger": { text: "It is open", confirm: "open", values } };
  expect(danger(schema, value, before) !== undefined).toBe(asked);
  expect(danger({}, value, before)).toBeUndefined();
});

test("entries of a table are known by the paths of their values", () => {
  const paths = [
    "delivery/route[a.example]/host",
    "delivery/route[a.example]/port",
    "delivery/route[b.example]/host",
    "delivery/tls",
  ];
  expect(entryKeys("delivery/route", paths)).toEqual(["a.example", "b.example"]);
  const table = field(
    { type: "array", items: { type: "object", properties: { host: { type: "string" } } } },
    "delivery/route",
  );
  expect(entryFields(table, "a.example")[0]?.path).toBe("delivery/route[a.example]/host");
});

test("a value is written as the file has it, and a secret is not", () => {
  expect(xml(field({ type: "string" }), "<80M>")).toEqual(["<max-message-size>&lt;80M&gt;</max-message-size>"]);
  expect(xml(field({ type: "array", "x-item": "network" }), ["a", "b"])).toEqual([
    "<network>a</network>",
    "<network>b</network>",
  ]);
  expect(xml(field({ type: "string", "x-secret": true }), "hunter2").join("")).not.toContain("hunter2");
  expect(xml(field({ type: "string" }), null)).toEqual([]);
  expect(written([true, 5, null])).toBe("yes, 5, ");
});

test("the command quotes what a shell would take apart", () => {
  expect(command("smtp/greeting", "It's me")).toBe(`whimbrel config set smtp/greeting 'It'\\''s me'`);
  expect(command("x/y", null)).toBe("whimbrel config unset x/y");
});

test("only what both changed is a conflict", () => {
  const value = (now: unknown) => ({ value: now, set: true });
  const base = { a: value(1), b: value(1), c: value(1) };
  const theirs = { a: value(2), b: value(1), c: value(3) };
  expect(conflicts({ a: 5, b: 5, c: 3 }, base, theirs)).toEqual([{ path: "a", base: 1, ours: 5, theirs: 2 }]);
});

test("sizes and durations count as the server counts them", () => {
  expect(parseSize("50M")).toBe(50 * 2 ** 20);
  expect(parseSize("x")).toBeNull();
  expect(parseSize("99999999T")).toBeNull();
  expect(parseDuration("90m")).toBe(5400);
  expect(parseDuration("5min")).toBe(300);
  expect(parseDuration("500ms")).toBe(0.5);
  expect(DURATIONS.split("4h")).toEqual({ typed: "4", unit: "h" });
});

test.each([
  ["50", "M", "50M"],
  ["50 ", "M", "50M"],
  ["1 GB", "M", "1G"],
  ["1GiB", "M", "1G"],
  ["2g", "M", "2G"],
  ["0", "M", "0"],
  ["", "M", ""],
  ["-5", "M", "-5"],
  ["1.5", "G", "1.5G"],
  ["1,5", "G", "1,5G"],
  ["1.5G", "M", "1.5G"],
  ["1e3", "M", "1e3"],
  ["0x10", "M", "0x10"],
  ["fifty", "M", "fifty"],
  ["5 5", "M", "5 5"],
  ["99999999999", "T", "99999999999"],
  ["M", "M", "M"],
])("the size field takes %j beside %s for %j", (typed, unit, value) => {
  expect(meant({ typed, unit }, SIZES)).toBe(value);
});

test.each([
  ["90", "s", "90s"],
  ["1.5", "h", "1.5h"],
  ["5min", "s", "5m"],
  ["4 H", "s", "4h"],
  ["0", "d", "0s"],
  ["-5", "m", "-5"],
  ["1:30", "h", "1:30"],
  ["1h30m", "h", "1h30m"],
  ["soon", "h", "soon"],
])("the field of a duration takes %j beside %s for %j", (typed, unit, value) => {
  expect(meant({ typed, unit }, DURATIONS)).toBe(value);
});

test.each([
  ["1.5G", "1536M"],
  ["1,5 GB", "1536M"],
  ["0.1G", "102M"],
  ["1.5", ""],
  ["-1.5G", ""],
])("%j in whole numbers is %j", (text, whole) => expect(wholeSize(text)).toBe(whole));

test.each([
  ["5", 5],
  ["-5", -5],
  ["1.5", 1.5],
  ["1,5", null],
  ["1,000", null],
  ["1e3", null],
  ["0x10", null],
  ["Infinity", null],
  ["", null],
  ["5 5", null],
])("%j as a number is %j", (text, number) => expect(parseNumber(text)).toBe(number));
