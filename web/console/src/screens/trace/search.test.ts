import { describe, expect, test } from "vitest";
import { isEmpty, questions, understood } from "./search.ts";

describe("whatever is pasted is understood", () => {
  test.each([
    ["bob@example.com", { addresses: ["bob@example.com"] }],
    ["from Bob@Example.com to anna@y.test", { addresses: ["bob@example.com", "anna@y.test"], words: "" }],
    ["<7c1e-4f0a@example.com>", { messageIds: ["<7c1e-4f0a@example.com>"] }],
    ["6b0d4a3f-013f02be", { ids: ["6b0d4a3f-013f02be"] }],
    ["192.0.2.41", { hosts: ["192.0.2.41"] }],
    ["2001:db8::1", { hosts: ["2001:db8::1"] }],
    ["example.com", { addresses: ["example.com"] }],
    ["Contract draft", { words: "Contract draft" }],
  ])("%s", (text, part) => {
    expect(understood(text)).toMatchObject(part);
  });

  test("a report of a failed delivery gives the Message-ID of what was returned", () => {
    const report = `${"This is the mail system.\n".repeat(12)}<anna@y.test>: user unknown\nMessage-ID: <outer@x.test>\n\nMessage-Id: <7c1e@x.test>\n`;
    expect(understood(report)).toMatchObject({ messageIds: ["<7c1e@x.test>"], addresses: [] });
  });

  test("nothing is nothing", () => {
    expect(isEmpty(understood("  "))).toBe(true);
  });
});

describe("what the server is asked", () => {
  test("an address is sought as sender and as recipient, unless one is chosen", () => {
    const sought = understood("bob@x.test");
    expect(questions(sought, "")).toEqual([{ sender: "bob@x.test" }, { to: "bob@x.test" }]);
    expect(questions(sought, "to")).toEqual([{ to: "bob@x.test" }]);
  });

  test("two addresses: mail between them, both ways", () => {
    const sought = understood("bob@x.test anna@y.test");
    expect(questions(sought, "")).toHaveLength(2);
    expect(questions(sought, "from")).toEqual([{ sender: "bob@x.test", to: "anna@y.test" }]);
  });

  test("a host alone is a question of its own; with words it is one for the lines of the log", () => {
    expect(questions(understood("192.0.2.41"), "")).toEqual([{ host: "192.0.2.41" }]);
    expect(questions(understood("192.0.2.41 invoice"), "")).toEqual([]);
  });

  test("an id says it all", () => {
    expect(questions(understood("6b0d4a3f-013f02be bob@x.test"), "")).toEqual([{ id: "6b0d4a3f-013f02be" }]);
  });
});
