import { afterEach, expect, test } from "vitest";
import { abort, asText, forget, messageOf, problemsOf, runs, start, type Step } from "./runs.ts";
import { argumentsOf, TOOLS, type ToolId } from "./tools.ts";

const tool = (id: ToolId) => TOOLS.find((each) => each.id === id)!;
const step = (text: string, problems: string[] = [], facts = {}): Step => ({
  kind: "received",
  text,
  seconds: 0.25,
  facts,
  problems,
});

afterEach(() => runs.set([]));

async function* steps(...all: Step[]) {
  yield* all;
}

test("what is empty or as usual is left to the server, and numbers are numbers", () => {
  expect(argumentsOf(tool("smtp"), { name: " example.org ", port: "587", to: "" })).toEqual({
    name: "example.org",
    port: 587,
  });
  expect(argumentsOf(tool("smtp"), { name: "example.org", port: "25" })).toEqual({ name: "example.org" });
  expect(argumentsOf(tool("smtp"), { name: "x", port: "many" })).toEqual({ name: "x", port: "many" });
  expect(argumentsOf(tool("dns"), { name: "example.org", type: "MX" })).toEqual({ name: "example.org", type: "MX" });
});

test("the steps of a run are kept in their order, with all that is wrong", async () => {
  await start(tool("smtp"), { name: "mx" }, () =>
    steps(step("220 hi"), step("550 no", ["550 no."]), step("550 no", ["550 no."])),
  );
  const [run] = runs.get();
  expect([run?.state, run?.steps.length, problemsOf(run!)]).toEqual(["done", 3, ["550 no."]]);
  expect(asText(run!)).toContain("smtp mx, ");
  expect(asText(run!)).toContain("   0.250  220 hi\n");
  expect(asText(run!)).toContain("\n! 550 no.\n");
});

test("what fails keeps what was seen before, and says why", async () => {
  async function* broken() {
    yield step("220 hi");
    throw new Error("The answer broke off.");
  }
  await start(tool("smtp"), { name: "mx" }, broken);
  expect(runs.get()[0]).toMatchObject({ state: "failed", steps: [{ text: "220 hi" }] });
  expect(String(runs.get()[0]?.error)).toContain("broke off");
});

test("a run can be aborted while it waits", async () => {
  const waiting = start(tool("mail"), { address: "a@example.org" }, async function* (_tool, _args, signal) {
    yield step("taken in", [], { queue_id: "0000-1" });
    await new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
    });
  });
  await new Promise((resolve) => {
    setTimeout(resolve);
  });
  abort(runs.get()[0]!.id);
  await waiting;
  expect(runs.get()[0]).toMatchObject({ state: "aborted", error: null });
  expect(messageOf(runs.get()[0]!)).toBe("0000-1");
});

test("no more runs are kept than a person looks at, and one can be forgotten", async () => {
  for (let count = 0; count < 40; count++) {
    // oxlint-disable-next-line no-await-in-loop -- in their order
    await start(tool("dns"), { name: `n${count}` }, () => steps());
  }
  expect(runs.get().length).toBe(30);
  expect(runs.get()[0]?.typed.name).toBe("n39");
  forget(runs.get()[0]!.id);
  expect(runs.get()[0]?.typed.name).toBe("n38");
});
