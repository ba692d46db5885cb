import { describe, expect, it } from "vitest";
import { type Departure, lacking, leaveArguments } from "./leave.ts";

const NOTHING: Departure = { mail: "kept", to: "", text: "", given: "", deleted: "", named: "stays", instead: "" };
const split = (text: string) => text.split(",").map((each) => each.trim());

describe("leaving", () => {
  it("keeps everything that nothing is said of", () => {
    expect(lacking(NOTHING)).toBe("");
    expect(leaveArguments("anna@x", NOTHING, split)).toEqual({ name: "anna@x" });
  });
  it("asks for what a choice needs", () => {
    expect(lacking({ ...NOTHING, mail: "to", to: " " })).toBe("to");
    expect(lacking({ ...NOTHING, mail: "refused" })).toBe("text");
    expect(lacking({ ...NOTHING, named: "instead" })).toBe("instead");
  });
  it("forgets what was typed for another choice", () => {
    const chosen: Departure = { ...NOTHING, to: "bob@x", text: "gone", instead: "bob@x", named: "out" };
    expect(leaveArguments("anna@x", chosen, split)).toEqual({ name: "anna@x", everywhere: true });
  });
  it("hands over all that was chosen", () => {
    const chosen: Departure = {
      mail: "to",
      to: "bob@x, eve@x",
      text: "",
      given: "bob@x",
      deleted: "2027-03-31",
      named: "instead",
      instead: "bob@x",
    };
    expect(leaveArguments("anna@x", chosen, split)).toEqual({
      name: "anna@x",
      forward_to: ["bob@x", "eve@x"],
      give_to: "bob@x",
      delete_on: "2027-03-31",
      instead: "bob@x",
    });
  });
});
