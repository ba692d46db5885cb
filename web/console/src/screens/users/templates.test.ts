import { expect, test } from "vitest";
import type { RecordField, RecordSchema } from "@/api/schema.ts";
import { giftsOf } from "./templates.ts";

const field = (parameter: string, more: Partial<RecordField> = {}): RecordField => ({
  parameter,
  shown: parameter,
  title: parameter,
  listed: false,
  "changed-by": "domain",
  ...more,
});
const record: RecordSchema = {
  plural: "templates",
  help: "",
  name: {},
  parts: [
    { name: "TemplateOffer", description: "", fields: [field("description"), field("offered_to", { type: "array" })] },
    {
      name: "Other",
      description: "",
      fields: [
        field("group", { type: "array", shown: "groups" }),
        field("rights"),
        field("quota", { format: "size" }),
        field("junk_score", { anyOf: [{ type: "number" }] }),
        field("keep_copy", { type: "boolean", default: true }),
      ],
    },
  ],
};
const ids = (template: Record<string, unknown>) =>
  giftsOf({ template: "a@b", ...template }, record).map(({ id, text }) => `${id}=${text}`);

test("a template gives what it says, and not for whom it is", () => {
  expect(ids({ description: "x", offered_to: ["*"], groups: ["a", "b"], rights: "domain", quota: 2 ** 31 })).toEqual([
    "group=a, b",
    "rights=domain",
    expect.stringMatching(/^quota=2/),
  ]);
});

test("defaults say nothing; a score of 0 and a copy that is not kept do", () => {
  expect(ids({ groups: [], rights: "none", quota: 0, junk_score: "", keep_copy: true })).toEqual([]);
  expect(ids({ junk_score: "0", keep_copy: false })).toEqual(["junk_score=0", "keep_copy=false"]);
});
