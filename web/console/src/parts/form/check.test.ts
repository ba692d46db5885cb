import { expect, test } from "vitest";
import type { Schema } from "@/api/schema.ts";
import { fault, isAddress } from "./check.ts";

const wrong = (schema: Schema, value: unknown) => fault(schema, value) !== "";

test.each<[Schema, unknown, boolean]>([
  [{ type: "string", format: "size" }, "50M", true],
  [{ type: "string", format: "size" }, "fifty", false],
  [{ type: "string", format: "size" }, "-5", false],
  [{ type: "string", format: "size" }, "1.5G", false],
  [{ type: "string", format: "size" }, "1 GB", true],
  [{ type: "string", format: "size" }, "0", true],
  [{ type: "string", format: "size" }, "", false],
  [{ type: "string", format: "size" }, "999999999999999T", false],
  [{ type: "string", format: "size" }, "1,5G", false],
  [{ type: "string", format: "duration" }, "-5", false],
  [{ type: "string", format: "duration" }, "1,5h", false],
  [{ type: "string", format: "duration" }, "1.5h", true],
  [{ type: "string", format: "duration" }, "5min", true],
  [{ type: "string", format: "duration" }, "1h30m", false],
  [{ type: "number" }, "1,5", false],
  [{ type: "number" }, "1,000", false],
  [{ type: "number" }, "", false],
  [{ type: "integer", minimum: 1, maximum: 65_535 }, "0x19", false],
  [{ type: "integer", minimum: 1, maximum: 65_535 }, "1e3", false],
  [{ type: "integer", minimum: 1, maximum: 65_535 }, 70_000, false],
  [{ type: "integer", minimum: 1, maximum: 65_535 }, 0, false],
  [{ type: "string", format: "hostport" }, "a b:25", false],
  [{ type: "string", format: "hostport" }, "*:+25", false],
  [{ type: "string", format: "cidr" }, "10.0.0.0/", false],
  [{ type: "string", format: "cidr" }, "10.0.0", false],
  [{ type: "string", format: "email" }, "anna@example.org, bob@example.org", false],
  [{ type: "string", format: "size", "x-minimum": "1K" }, "512", false],
  [{ type: "string", format: "duration" }, "4h", true],
  [{ type: "string", format: "duration" }, "4 parsecs", false],
  [{ type: "string", format: "duration", "x-maximum": "1d" }, "25h", false],
  [{ type: "string", format: "cidr" }, "192.0.2.0/24", true],
  [{ type: "string", format: "cidr" }, "192.0.2.0/33", false],
  [{ type: "string", format: "cidr" }, "2001:db8::/32", true],
  [{ type: "string", format: "hostport" }, "*:25", true],
  [{ type: "string", format: "hostport" }, "[2001:db8::1]:25", true],
  [{ type: "string", format: "hostport" }, "25", false],
  [{ type: "string", format: "hostport" }, "*:65536", false],
  [{ type: "string", format: "email" }, "anna@example.org", true],
  [{ type: "string", format: "email" }, "anna", true],
  [{ type: "string", format: "email" }, '"anna k"@example.org', true],
  [{ type: "string", format: "email" }, "anna@", false],
  [{ type: "string", format: "email" }, "anna kovac", false],
  [{ type: "integer", minimum: 1, maximum: 10 }, 11, false],
  [{ type: "integer" }, 1.5, false],
  [{ type: "integer" }, "x", false],
  [{ type: "string", pattern: "^[a-z]+$" }, "A", false],
  [{ type: "string", enum: ["a", "b"] }, "c", false],
  [{ type: "array", items: { type: "string", format: "email" } }, ["a@b", "c d"], false],
  [{ anyOf: [{ type: "number" }, { type: "null" as never }], maximum: 5 }, 6, false],
  [{ anyOf: [{ type: "number" }, { type: "null" as never }] }, null, true],
])("%j takes %j: %s", (schema, value, well) => {
  expect(wrong(schema, value)).toBe(!well);
});

test("a pattern that only Python understands is left to the server", () => {
  expect(fault({ type: "string", pattern: "(?P<name>x)" }, "y")).toBe("");
});

test.each(["::", "::1", "2001:db8::1", "::ffff:192.0.2.1", "1:2:3:4:5:6:7:8"])("%s is an address", (text) => {
  expect(isAddress(text)).toBe(true);
});

test.each([":::", "1:2:3", "1::2::3", "12345::", "1.2.3", "256.1.1.1", "::1.2.3"])("%s is none", (text) => {
  expect(isAddress(text)).toBe(false);
});
