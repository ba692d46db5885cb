import { expect, test } from "vitest";
import { parseDiff, sides } from "./diff.ts";

const TEXT = `--- mailserver.cfg (in use)
+++ mailserver.cfg (version 3)
@@ -4,5 +4,4 @@
   <server>
-    <a>127.0.0.1:25</a>
-    <b>1</b>
+    <a>127.0.0.1:26</a>
   </server>
@@ -20 +19,2 @@
 <end/>
+--- no head of a file
--- users.cfg (in use)
+++ users.cfg (on disk)
@@ -0,0 +1 @@
+<users/>
`;

test("files, hunks and the numbers of lines are read", () => {
  const { files, rest } = parseDiff(TEXT);
  expect(rest).toEqual([]);
  expect(files.map((file) => [file.left, file.right, file.hunks.length, file.added, file.removed])).toEqual([
    ["mailserver.cfg (in use)", "mailserver.cfg (version 3)", 2, 2, 2],
    ["users.cfg (in use)", "users.cfg (on disk)", 1, 1, 0],
  ]);
  const lines = files[0]?.hunks[0]?.lines ?? [];
  expect(lines.map(({ kind, before, after }) => [kind, before, after])).toEqual([
    ["same", 4, 4],
    ["removed", 5, undefined],
    ["removed", 6, undefined],
    ["added", undefined, 5],
    ["same", 7, 6],
  ]);
});

test("a line of a file that looks like a head is a line", () => {
  expect(parseDiff(TEXT).files[0]?.hunks[1]?.lines[1]).toMatchObject({ kind: "added", text: "--- no head of a file" });
});

test("side by side, what came stands beside what went", () => {
  const pairs = sides(parseDiff(TEXT).files[0]?.hunks[0] ?? { lines: [] });
  expect(pairs.map(({ left, right }) => [left?.before, right?.after])).toEqual([
    [4, 4],
    [5, 5],
    [6, undefined],
    [7, 6],
  ]);
});

test("in lines that were replaced one by one, what differs is marked", () => {
  const { files } = parseDiff("--- a\n+++ b\n@@ -1 +1 @@\n-<max>50M</max>\n+<max>80M</max>\n");
  const [old, now] = files[0]?.hunks[0]?.lines ?? [];
  expect([old?.text.slice(...(old.marked ?? [])), now?.text.slice(...(now.marked ?? []))]).toEqual(["5", "8"]);
});

test("what is no difference is kept as text", () => {
  expect(parseDiff("Some words.\n\nMore.").rest).toEqual(["Some words.", "More."]);
});

test("a line with nothing but its end is a line that is the same", () => {
  const { files } = parseDiff("--- a\n+++ b\n@@ -1,2 +1,3 @@\n x\n\n+y\n");
  expect(files[0]?.hunks[0]?.lines.map((line) => line.kind)).toEqual(["same", "same", "added"]);
});

test("a difference that is told record by record has lines without numbers", () => {
  const { files, rest } = parseDiff(
    "--- users.cfg (in use)\n+++ users.cfg (on disk)\n-user a@b.c: quota: 1\n+user a@b.c: quota: 2\n+domain d\n\n" +
      "--- mailserver.cfg (in use)\n+++ mailserver.cfg (on disk)\n@@ -1 +1 @@\n-a\n+b\n",
  );
  expect(rest).toEqual([]);
  expect(files.map((file) => [file.added, file.removed, file.hunks.length])).toEqual([
    [2, 1, 1],
    [1, 1, 1],
  ]);
  expect(files[0]?.hunks[0]?.lines[1]).toEqual({ kind: "added", text: "user a@b.c: quota: 2" });
});
