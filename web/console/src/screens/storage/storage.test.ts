import { expect, test } from "vitest";
import { type FolderLine, NOTHING, parts, reliefs, scope, type Space, taken, type Usage, verbOf } from "./storage.ts";

const SPACE: Space = {
  folder: "/srv",
  total: 1000,
  free: 400,
  soft: 100,
  hard: 50,
  state: "enough",
  grows: null,
  full_in: null,
  parts: [],
};
const usage = (part: Partial<Usage>): Usage => ({
  counted: "2026-11-30T12:00:00Z",
  mailboxes: 1,
  messages: 1,
  size: 0,
  deleted_messages: 0,
  deleted_size: 0,
  removed_mailboxes: 0,
  removed_size: 0,
  domains: [],
  largest: [],
  grows: null,
  fastest: [],
  ...part,
});
const shares = (of: ReturnType<typeof parts>) => of.map(({ part, share }) => [part, Math.round(share * 1000)]);

test("before a count there is what is used and what is free", () => {
  expect(shares(parts(SPACE, undefined))).toEqual([
    ["other", 600],
    ["free", 400],
  ]);
  expect(shares(parts(SPACE, usage({ counted: null, size: 300 })))).toEqual([
    ["other", 600],
    ["free", 400],
  ]);
});

test("after a count the rest is what is not ours", () => {
  const made = parts(SPACE, usage({ size: 300, deleted_size: 100, removed_size: 50 }));
  expect(shares(made)).toEqual([
    ["mail", 300],
    ["deleted", 100],
    ["removed", 50],
    ["other", 150],
    ["free", 400],
  ]);
});

test("messages of several recipients make mail more than the disk holds: the bar stays whole, the figure true", () => {
  const made = parts(SPACE, usage({ size: 900, deleted_size: 300 }));
  expect(shares(made)).toEqual([
    ["mail", 450],
    ["deleted", 150],
    ["free", 400],
  ]);
  expect(made[0]?.octets).toBe(900);
});

test("a disk of no size draws nothing", () => {
  expect(shares(parts({ ...SPACE, total: 0, free: 0 }, undefined))).toEqual([["free", 0]]);
});

test("work on the store is told from other work", () => {
  expect(
    [
      "store check a",
      "store count",
      "store move /srv",
      "store move-check /srv",
      "store old-delete /srv",
      "user import",
    ].map((work) => verbOf({ work })),
  ).toEqual(["check", "count", "move", null, "old-delete", null]);
});

test("no mailbox means all of them, and a folder needs its mailbox", () => {
  expect(scope(" ", "INBOX")).toEqual({ all: true });
  expect(scope("a@b.c", "")).toEqual({ account: "a@b.c" });
  expect(scope("a@b.c", "Sent")).toEqual({ account: "a@b.c", folder: "Sent" });
});

test("folders that are in order are counted and not kept", () => {
  const line = (part: Partial<FolderLine>): FolderLine => ({
    account: "a@b.c",
    folder: "INBOX",
    messages: 2,
    problems: [],
    repaired: [],
    ...part,
  });
  const made = [line({}), line({ problems: ["x"] }), line({ repaired: ["y"] })].reduce(taken, NOTHING);
  expect([made.folders, made.messages, made.wrong, made.mended, made.lines.length]).toEqual([3, 6, 1, 1, 2]);
});

const HELD = [
  { name: "indexes", size: 20, grows: null, spare: 0, spare_files: 0 },
  { name: "logs", size: 80, grows: 3, spare: 60, spare_files: 4 },
];

test("queue, logs and indexes have their part, and mail is drawn into what is left", () => {
  const made = parts({ ...SPACE, parts: HELD }, usage({ size: 900, grows: 7 }));
  expect(shares(made)).toEqual([
    ["mail", 500],
    ["indexes", 20],
    ["logs", 80],
    ["free", 400],
  ]);
  expect(made.map(({ grows }) => grows)).toEqual([7, null, 3, null]);
});

test("what frees space comes by octets, and only what there is", () => {
  const space = { ...SPACE, parts: HELD };
  const counted = usage({ deleted_size: 50, deleted_messages: 2, removed_size: 70, removed_mailboxes: 1 });
  expect(reliefs(space, counted, { left: [] }).map(({ way }) => way)).toEqual(["removed", "logs", "deleted"]);
  const left = [{ path: "/old", kind: "store", since: "2026-11-30T12:00:00Z" }];
  expect(reliefs(SPACE, undefined, { left })).toEqual([{ way: "former", octets: null, count: 1 }]);
});
