/** A value that nobody has saved is tried as it stands in its field; the answer stands under it. */
import { i18n } from "@lingui/core";
import { MantineProvider } from "@mantine/core";
import { I18nProvider } from "@lingui/react";
import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { FormContext, type FormState } from "./context.ts";
import { groupsOf } from "./fields.ts";
import { beside, TryValue } from "./TryValue.tsx";

const { runStream } = vi.hoisted(() => ({ runStream: vi.fn() }));
vi.mock("@/api/admin.ts", () => ({ runStream }));

afterEach(cleanup);

const [field] =
  groupsOf({
    properties: { delivery: { type: "object", properties: { "relay-host": { type: "string", "x-check": "mail" } } } },
  })[0]?.fields ?? [];

const EDITS = {
  "delivery/relay-host": "mx.example.net",
  "delivery/relay-port": 587,
  "delivery/relay-password": "hunter2",
  "delivery/route[x]/host": "y",
  "smtp/hostname": "z",
};

function draw(value: string, wrong = false) {
  if (!field) throw new Error("no field");
  const state = { values: {}, edits: EDITS, faults: {}, readOnly: "", settings: true } as unknown as FormState;
  const drawn = (now: string) => (
    <I18nProvider i18n={i18n}>
      <MantineProvider>
        <FormContext value={state}>
          <TryValue field={field} value={now} wrong={wrong} />
        </FormContext>
      </MantineProvider>
    </I18nProvider>
  );
  const { rerender } = render(drawn(value));
  return (now: string) => rerender(drawn(now));
}

function says(...steps: { text: string; problems: string[] }[]) {
  runStream.mockImplementation(async function* stream() {
    yield* steps;
  });
}

const press = () => act(async () => fireEvent.click(screen.getByRole("button", { name: "Test" })));

test("the unsaved value is tried, with the settings beside it and without secrets", async () => {
  says({ text: "connected", problems: [] }, { text: "it greets", problems: [] });
  const again = draw("mx.example.net");
  await press();
  expect(runStream.mock.lastCall?.slice(0, 3)).toEqual([
    "config",
    "test",
    { path: "delivery/relay-host", value: ["mx.example.net"], beside: ["delivery/relay-port=587"] },
  ]);
  expect(screen.getByRole("status").textContent).toContain("it greets");
  again("other.example.net");
  expect(screen.queryByRole("status")).toBeNull();
});

test("what is wrong is said under the field, and a refusal too", async () => {
  says({ text: "connected", problems: [] }, { text: "no TLS", problems: ["STARTTLS is not offered."] });
  draw("mx.example.net");
  await press();
  expect(screen.getByRole("status").textContent).toContain("STARTTLS is not offered.");
  runStream.mockImplementation(() => {
    throw new Error("You may not.");
  });
  await press();
  expect(screen.getByRole("status").textContent).toContain("You may not.");
});

test("what is wrong already, or empty, is not tried", () => {
  runStream.mockClear();
  draw("x y", true);
  expect(screen.getByRole("button", { name: "Test" }).getAttribute("aria-disabled")).toBe("true");
  fireEvent.click(screen.getByRole("button", { name: "Test" }));
  expect(runStream).not.toHaveBeenCalled();
});

test("only settings of the same section come along", () => {
  if (field) expect(beside(field, EDITS)).toEqual(["delivery/relay-port=587"]);
});

test("a secret is tried as one that others may not see, and the one in use where none is typed", async () => {
  says({ text: "it took a test event", problems: [] });
  const [hook] =
    groupsOf({
      properties: {
        alerts: { type: "object", properties: { webhook: { type: "string", "x-secret": true, "x-check": "webhook" } } },
      },
    })[0]?.fields ?? [];
  if (!hook) throw new Error("no field");
  const drawn = (edits: Record<string, unknown>, set: boolean) => {
    const values = { "alerts/webhook": { value: null, set } };
    const state = { values, edits, faults: {}, readOnly: "", settings: true } as unknown as FormState;
    return (
      <I18nProvider i18n={i18n}>
        <MantineProvider>
          <FormContext value={state}>
            <TryValue field={hook} value={edits["alerts/webhook"] ?? null} wrong={false} />
          </FormContext>
        </MantineProvider>
      </I18nProvider>
    );
  };
  const { rerender } = render(drawn({ "alerts/webhook": "https://hooks.example.org/T0/x" }, false));
  await press();
  expect(runStream.mock.lastCall?.[2]).toEqual({
    path: "alerts/webhook",
    secret: "https://hooks.example.org/T0/x",
    beside: [],
  });
  rerender(drawn({}, true));
  await press();
  expect(runStream.mock.lastCall?.[2]).toEqual({ path: "alerts/webhook", beside: [] });
});
