import { expect, test } from "vitest";
import { localPage } from "./local.ts";

const ROWS = [
  { name: "Disk", state: "ok", size: 30 },
  { name: "Mail store", state: "error", size: 4 },
  { name: "queue", state: "ok", size: 100 },
];
const ASKED = { search: "", sort: "", filters: {}, after: "", limit: 100 };
const WAYS = {
  words: (row: (typeof ROWS)[0]) => row.name,
  filters: { state: (row: (typeof ROWS)[0], value: string) => row.state === value },
  sorts: { size: (row: (typeof ROWS)[0]) => row.size, name: (row: (typeof ROWS)[0]) => row.name },
};
const names = (asked: object) => localPage(ROWS, { ...ASKED, ...asked }, WAYS).items.map((row) => row.name);

test("rows keep the server's order unless a column is named", () => {
  expect(names({})).toEqual(["Disk", "Mail store", "queue"]);
  expect(names({ sort: "size" })).toEqual(["Mail store", "Disk", "queue"]);
  expect(names({ sort: "-size" })).toEqual(["queue", "Disk", "Mail store"]);
  expect(names({ sort: "-name" })).toEqual(["queue", "Mail store", "Disk"]);
  expect(names({ sort: "unheard" })).toEqual(["Disk", "Mail store", "queue"]);
});

test("all words must be there, in any case, and filters hold together", () => {
  expect(names({ search: "STORE mail" })).toEqual(["Mail store"]);
  expect(names({ search: "store disk" })).toEqual([]);
  expect(names({ filters: { state: "ok" } })).toEqual(["Disk", "queue"]);
  expect(names({ search: "q", filters: { state: "ok" } })).toEqual(["queue"]);
});
