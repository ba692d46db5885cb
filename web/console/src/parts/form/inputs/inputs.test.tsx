/** What is typed stays as it was typed, right or wrong; what is wrong is said at the field. */
import { i18n } from "@lingui/core";
import { MantineProvider } from "@mantine/core";
import { I18nProvider } from "@lingui/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { useState } from "react";
import { afterEach, expect, test } from "vitest";
import type { Schema } from "@/api/schema.ts";
import { fault } from "../check.ts";
import { groupsOf } from "../fields.ts";
import { Control } from "./Control.tsx";
import { moved } from "./order.tsx";

afterEach(cleanup);

let last: unknown;

function Field({ schema, initial }: { schema: Schema; initial: unknown }) {
  const [field] = groupsOf({ properties: { x: { type: "object", properties: { y: schema } } } })[0]?.fields ?? [];
  const [value, setValue] = useState(initial);
  if (!field) return null;
  const change = (next: unknown) => {
    last = next;
    setValue(next);
  };
  const rest = { id: "y", readOnly: "", described: "", labelled: "", wrong: false };
  return (
    <I18nProvider i18n={i18n}>
      <Control field={field} value={value} onChange={change} {...rest} />
    </I18nProvider>
  );
}

function type(schema: Schema, initial: unknown, text: string): [string, unknown, boolean] {
  render(<Field schema={schema} initial={initial} />);
  const input = screen.getByRole<HTMLInputElement>("textbox");
  // One key after the other, as it comes from a keyboard: each passes what it makes through the field.
  for (let length = 1; length <= text.length; length += 1) {
    fireEvent.change(input, { target: { value: text.slice(0, length) } });
  }
  return [input.value, last, fault(schema, last) !== ""];
}

const size: Schema = { type: "string", format: "size" };
const duration: Schema = { type: "string", format: "duration" };
const score: Schema = { type: "number" };
const port: Schema = { type: "integer", minimum: 1, maximum: 65_535 };
const email: Schema = { type: "string", format: "email" };

test.each<[string, Schema, unknown, string, unknown, boolean]>([
  ["size", size, "50M", "80", "80M", false],
  ["size", size, "50M", "-5", "-5", true],
  ["size", size, "50M", "1.5G", "1.5G", true],
  ["size", size, "50M", "1,5", "1,5M", true],
  ["size", size, "50M", "1 GB", "1G", false],
  ["size", size, "50M", "0", "0", false],
  ["size", size, "50M", "99999999999999T", "99999999999999T", true],
  ["size", size, "50M", "big", "big", true],
  ["duration", duration, "4h", "30", "30h", false],
  ["duration", duration, "4h", "5min", "5m", false],
  ["duration", duration, "4h", "-5", "-5", true],
  ["duration", duration, "4h", "1.5", "1.5h", false],
  ["duration", duration, "4h", "1h30m", "1h30m", true],
  ["score", score, 5, "1.5", 1.5, false],
  ["score", score, 5, "1,000", "1,000", true],
  ["score", score, 5, "-", "-", true],
  ["port", port, 25, "0x19", "0x19", true],
  ["port", port, 25, "70000", 70_000, true],
  ["port", port, 25, "smtp", "smtp", true],
  ["email", email, "", "anna@bücher.example", "anna@bücher.example", false],
])("%s field: %o at %j, %j typed", (_name, schema, initial, text, value, wrong) => {
  expect(type(schema, initial, text)).toEqual([text, value, wrong]);
});

test("a unit that was typed moves into its own field when one leaves", () => {
  render(<Field schema={size} initial="50M" />);
  const input = screen.getByRole<HTMLInputElement>("textbox");
  fireEvent.change(input, { target: { value: "2G" } });
  expect(screen.getByRole<HTMLSelectElement>("combobox").value).toBe("G");
  fireEvent.blur(input);
  expect([input.value, last]).toEqual(["2", "2G"]);
});

test("another unit does not make a size of what is none", () => {
  render(<Field schema={size} initial="50M" />);
  fireEvent.change(screen.getByRole("textbox"), { target: { value: "-5" } });
  fireEvent.change(screen.getByRole("combobox"), { target: { value: "G" } });
  expect(last).toBe("-5");
});

test("lines whose order counts are moved by Alt and the arrows, and by their grips", () => {
  render(
    <MantineProvider>
      <QueryClientProvider client={new QueryClient()}>
        <Field schema={{ type: "array", items: { type: "string" }, "x-list": "ordered" }} initial={["a", "b", "c"]} />
      </QueryClientProvider>
    </MantineProvider>,
  );
  fireEvent.keyDown(screen.getAllByRole("textbox")[0] as HTMLElement, { key: "ArrowDown", altKey: true });
  expect(last).toEqual(["b", "a", "c"]);
  const grips = screen.getAllByRole("button", { name: /^Move/ });
  expect(grips).toHaveLength(3);
  fireEvent.keyDown(grips[2] as HTMLElement, { key: "ArrowUp", altKey: true });
  expect(last).toEqual(["b", "c", "a"]);
  const dataTransfer = { setData: () => undefined, effectAllowed: "" };
  fireEvent.dragStart(screen.getAllByRole("button", { name: /^Move/ })[2] as HTMLElement, { dataTransfer });
  fireEvent.drop(screen.getAllByRole("textbox")[0]?.parentElement as HTMLElement);
  expect(last).toEqual(["a", "b", "c"]);
});

test("a line at the end moves no further", () => {
  expect([moved(["a", "b"], 0, -1), moved(["a", "b"], 1, 2), moved([], 0, 0)]).toEqual([null, null, null]);
});
