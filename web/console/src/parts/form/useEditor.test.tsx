import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { ApiError } from "@shared/errors.ts";
import { act, cleanup, renderHook } from "@testing-library/react";
import type { ReactNode } from "react";
import { useState } from "react";
import { afterEach, expect, test, vi } from "vitest";
import { edited, type Edits, without } from "./drafts.ts";
import { groupsOf } from "./fields.ts";
import { type Editing, useEditor } from "./useEditor.ts";

const SCHEMA = {
  properties: {
    smtp: {
      type: "object" as const,
      properties: {
        hostname: { type: "string" as const },
        "max-recipients": { type: "integer" as const, maximum: 100 },
      },
    },
  },
};
const FIELDS = groupsOf(SCHEMA).flatMap((group) => group.fields);
const VALUES = {
  "smtp/hostname": { value: "localhost", set: false },
  "smtp/max-recipients": { value: 50, set: true },
};

afterEach(cleanup);

function editor(over: Partial<Editing>) {
  return renderHook(
    () => {
      const [edits, setEdits] = useState<Edits>({});
      return useEditor({
        values: VALUES,
        fields: FIELDS,
        edits,
        readOnly: "",
        settings: true,
        edit: (path, value) => setEdits((before) => edited(before, path, value, undefined)),
        revert: (paths) => setEdits((before) => without(before, paths)),
        check: () => Promise.resolve([]),
        save: () => Promise.resolve([]),
        reread: () => Promise.resolve([]),
        ...over,
      });
    },
    { wrapper: ({ children }: { children: ReactNode }) => <I18nProvider i18n={i18n}>{children}</I18nProvider> },
  );
}

const refuse = (status: number, body: object) => () => Promise.reject(new ApiError(status, body));

test("a fault of the server lands on its field, by name or by pointer, and goes when the field changes", async () => {
  const { result } = editor({
    save: refuse(422, {
      text: "1 fault",
      fields: [{ name: "hostname", text: "no such host", pointer: "/smtp~1hostname" }],
    }),
  });
  act(() => result.current.state.edit("smtp/hostname", "x"));
  await act(() => result.current.save());
  expect(result.current.state.faults).toEqual({ "smtp/hostname": "no such host" });
  expect(result.current.refusal).toBe("");
  act(() => result.current.state.edit("smtp/hostname", "y"));
  expect(result.current.state.faults).toEqual({});
});

test("a refusal of no field is said as it is", async () => {
  const { result } = editor({ save: refuse(403, { text: "You may not change settings." }) });
  act(() => result.current.state.edit("smtp/hostname", "x"));
  await act(() => result.current.save());
  expect(result.current.refusal).toBe("You may not change settings.");
});

test("what is plainly wrong is not sent", async () => {
  const save = vi.fn(() => Promise.resolve([]));
  const { result } = editor({ save });
  act(() => result.current.state.edit("smtp/max-recipients", 101));
  await act(() => result.current.save());
  expect(save).not.toHaveBeenCalled();
  expect(Object.keys(result.current.state.faults)).toEqual(["smtp/max-recipients"]);
});

test("what is dangerous is sent with the words that were typed", async () => {
  const save = vi.fn((words: string) =>
    words
      ? Promise.resolve([])
      : Promise.reject(new ApiError(409, { text: "An open relay.", confirm: "mail.example" })),
  );
  const { result } = editor({ save });
  act(() => result.current.state.edit("smtp/hostname", "x"));
  await act(() => result.current.save());
  expect(result.current.confirm).toEqual({ words: "mail.example", text: "An open relay." });
  await act(() => result.current.save("mail.example"));
  expect(save).toHaveBeenLastCalledWith("mail.example");
  expect(result.current.confirm).toBeNull();
});

test("what others changed meanwhile is shown three ways, and taking theirs drops ours", async () => {
  const conflict = { path: "smtp/hostname", base: "localhost", ours: "x", theirs: "z" };
  const { result } = editor({ save: refuse(412, {}), reread: () => Promise.resolve([conflict]) });
  act(() => result.current.state.edit("smtp/hostname", "x"));
  await act(() => result.current.save());
  expect(result.current.conflicts).toEqual([conflict]);
  act(() => result.current.decide("smtp/hostname", false));
  expect(result.current.conflicts).toEqual([]);
  expect(result.current.state.edits).toEqual({});
});

test("the server's own difference, of a file that was edited, is shown the same way", async () => {
  const difference = {
    base: { "smtp/hostname": "a" },
    ours: { "smtp/hostname": "b" },
    theirs: { "smtp/hostname": "c" },
  };
  const { result } = editor({ save: refuse(409, { text: "edited", difference }) });
  act(() => result.current.state.edit("smtp/hostname", "b"));
  await act(() => result.current.save());
  expect(result.current.conflicts).toEqual([{ path: "smtp/hostname", base: "a", ours: "b", theirs: "c" }]);
});

test("an edit of the file is taken into use before ours is saved over it", async () => {
  const differs = [{ path: "smtp/hostname", in_use: "a", on_disk: "c" }];
  const takeFile = vi.fn(() => Promise.resolve());
  const { result } = editor({ save: refuse(409, { text: "edited", differs }), takeFile });
  act(() => result.current.state.edit("smtp/hostname", "b"));
  await act(() => result.current.save());
  expect(result.current.conflicts).toEqual([{ path: "smtp/hostname", base: "a", ours: "b", theirs: "c" }]);
  expect(result.current.outside).toBe(true);
  await act(() => result.current.takeFile());
  expect(takeFile).toHaveBeenCalledOnce();
  expect(result.current.state.edits).toEqual({ "smtp/hostname": "b" });
});
