import { describe, expect, it } from "vitest";
import { complete, given, put, shown } from "./answers.ts";
import type { Field, Step } from "./api.ts";

const field = (name: string, more: Partial<Field> = {}): Field => ({
  name,
  title: name,
  help: "",
  kind: "text",
  default: null,
  required: true,
  choices: [],
  shown_if: null,
  rare: false,
  ...more,
});

const mode = field("outgoing.mode", { default: "direct" });
const host = field("outgoing.host", {
  default: "smtp.example.net",
  shown_if: { name: "outgoing.mode", value: "relay" },
});
const step: Step = {
  name: "x",
  title: "x",
  help: "",
  checks: [],
  fields: [field("hostname", { default: "mx" }), mode, host],
};

describe("answers", () => {
  it("are put into a tree and taken out of it again, and nothing else is touched", () => {
    const tree = put(put({ hostname: "mx" }, "administrator.name", "ann"), "administrator.password", "x");
    expect(tree).toEqual({ hostname: "mx", administrator: { name: "ann", password: "x" } });
    expect(given(tree, "administrator.name")).toBe("ann");
    expect(given(tree, "hostname.name")).toBeUndefined();
    expect(given(tree, "outgoing.mode")).toBeUndefined();
  });

  it("are completed by what was proposed and is shown", () => {
    expect(complete({}, [step])).toEqual({ hostname: "mx", outgoing: { mode: "direct" } });
    expect(complete({ hostname: "", outgoing: { mode: "relay" } }, [step])).toEqual({
      hostname: "",
      outgoing: { mode: "relay", host: "smtp.example.net" },
    });
  });

  it("decide which fields are shown", () => {
    expect(shown(host, step.fields, {})).toBe(false);
    expect(shown(host, step.fields, { outgoing: { mode: "relay" } })).toBe(true);
    expect(shown(field("settings", { rare: true }), step.fields, {})).toBe(false);
  });
});
