import { expect, test } from "vitest";
import { chosen, edited, idOf, remarksOf, type Version, versionOf } from "./files.ts";

const ROWS: Version[] = [
  { number: 1, file: "mailserver.cfg", replaced: "2026-11-01T10:00:00Z", size: 300 },
  { number: 2, file: "mailserver.cfg", replaced: "2026-11-02T10:00:00Z", size: 100 },
  { number: 1, file: "users.cfg", replaced: "2026-11-03T10:00:00Z", size: 200 },
];
const ids = (rows: readonly Version[]) => rows.map(idOf);

test("the latest come first, of both files or of one", () => {
  expect(ids(chosen(ROWS, "", "", ""))).toEqual(["users.cfg:1", "mailserver.cfg:2", "mailserver.cfg:1"]);
  expect(ids(chosen(ROWS, "mailserver.cfg", "", "replaced"))).toEqual(["mailserver.cfg:1", "mailserver.cfg:2"]);
  expect(ids(chosen(ROWS, "", "", "-size"))).toEqual(["mailserver.cfg:1", "users.cfg:1", "mailserver.cfg:2"]);
  expect(ids(chosen(ROWS, "", "users 11-03", ""))).toEqual(["users.cfg:1"]);
});

test("an address names a version of one of the two files, and nothing else", () => {
  expect(versionOf("users.cfg:12")).toEqual({ file: "users.cfg", number: 12 });
  for (const wrong of ["users.cfg:", "../users.cfg:1", "users.cfg:1;x", "users.cfg:99999999999"])
    expect(versionOf(wrong)).toBeNull();
});

test("faults stand at the lines of their own file", () => {
  const problems = [
    { file: "mailserver.cfg", line: 3, path: "smtp", text: "First." },
    { file: "mailserver.cfg", line: 3, path: "smtp", text: "Second." },
    { file: "users.cfg", line: 3, path: "", text: "Other." },
    { file: "mailserver.cfg", line: 0, path: "tls", text: "Of no line." },
  ];
  expect([...remarksOf(problems, "mailserver.cfg (on disk)")]).toEqual([[3, "First. Second."]]);
});

test("a difference says of which files it is", () => {
  expect(edited("--- users.cfg (in use)\n+++ users.cfg (on disk)")).toEqual(["users.cfg"]);
});
