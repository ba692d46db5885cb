import { expect, test } from "vitest";
import { asked, type ChangeRow, grouped, isLocal, placeOf, valuesOf } from "./change.ts";

const row = (part: Partial<ChangeRow>): ChangeRow => ({
  at: "2026-11-30T12:00:00Z",
  user: "anna@example.org",
  kind: "setting",
  action: "changed",
  subject: "smtp/banner",
  field: "",
  old: "a",
  new: "b",
  id: "c1",
  can_undo: true,
  origin: "192.0.2.1",
  ...part,
});

test("the values of one call are one row, also where another call came between", () => {
  const made = grouped([row({}), row({ id: "c2" }), row({ subject: "smtp/help", can_undo: false })]);
  expect(made.map(({ key, more, subject, can_undo }) => [key, more, subject, can_undo])).toEqual([
    ["c1", 1, "smtp/banner", false],
    ["c2", 0, "smtp/banner", true],
  ]);
});

test("what has no id stays apart", () => {
  const made = grouped([row({ id: "" }), row({ id: "" })]);
  expect(new Set(made.map(({ key }) => key)).size).toBe(2);
});

test("filters are asked as the call has them", () => {
  const request = { search: "80M", sort: "", filters: { last: "7d", setting: "smtp" }, after: "x", limit: 10 };
  expect(asked(request)).toEqual({
    text: "80M",
    since: "7d",
    user: "",
    setting: "smtp",
    record: "",
    after: "x",
    limit: 10,
  });
});

test("a setting leads to its page, a record to its screen if there is one and it is still there", () => {
  const has = (id: string) => id === "users";
  expect(placeOf(row({}), has)).toEqual({ to: "/settings/smtp", search: { setting: "smtp/banner" } });
  expect(placeOf(row({ kind: "user", subject: "a@b.c" }), has)).toEqual({ to: "/users", search: { open: "a@b.c" } });
  expect(placeOf(row({ kind: "user", subject: "a@b.c", action: "removed" }), has)).toBeNull();
  expect(placeOf(row({ kind: "alias", subject: "a@b.c" }), has)).toBeNull();
  expect(placeOf(row({ kind: "records", subject: "500 more" }), has)).toBeNull();
});

test("a user who is called local is none of the machine", () => {
  expect([isLocal("local"), isLocal("local user root"), isLocal("local@example.org")]).toEqual([true, true, false]);
});

test("of a whole record only what is set is shown", () => {
  expect(valuesOf("primary=no; description=; quota=0; to=a@b.c")).toEqual(["primary=no", "quota=0", "to=a@b.c"]);
});
