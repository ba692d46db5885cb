import { expect, test, vi } from "vitest";
import type { Page } from "@/api/admin.ts";
import { ListModel, type ListQuery, type PageRequest } from "./model.ts";

interface Row {
  id: string;
  text?: string;
}

const ALL: ListQuery = { search: "", sort: "", filters: {} };
const rows = (from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, at) => ({ id: `r${from + at}` }));

/** A server with these rows; `asked` has what it was asked for. */
function server(content: { rows: Row[]; fail?: boolean }) {
  const asked: PageRequest[] = [];
  const fetch = async (request: PageRequest): Promise<Page<Row>> => {
    asked.push(request);
    if (content.fail) throw new Error("queue.db cannot be opened");
    const matching = content.rows.filter((row) => row.id.includes(request.search));
    const from = Number(request.after || 0);
    const end = from + request.limit;
    return { items: matching.slice(from, end), more: end < matching.length ? String(end) : "", total: matching.length };
  };
  return { asked, model: new ListModel<Row>({ fetch, id: (row) => row.id }) };
}

const settled = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

test("the first page is read, and the total is what the server counted", async () => {
  const { model, asked } = server({ rows: rows(0, 1000) });
  model.ask(ALL);
  expect(model.get().state).toBe("loading");
  await settled();
  expect(model.get()).toMatchObject({ state: "ready", total: 1000, exact: true });
  expect(model.get().rows).toHaveLength(200);
  expect(asked).toHaveLength(1);
});

test("rows are read up to what is seen, in few large pages when somebody jumps", async () => {
  const { model, asked } = server({ rows: rows(0, 100_000) });
  model.ask(ALL);
  await settled();
  model.need(5000);
  await settled();
  expect(model.get().rows.length).toBeGreaterThan(5000);
  expect(new Set(model.get().rows.map((row) => row.id)).size).toBe(model.get().rows.length);
  expect(asked.length).toBeLessThan(6);
});

test("rows of the former query stay until those of the new one come", async () => {
  const { model } = server({ rows: rows(0, 300) });
  model.ask(ALL);
  await settled();
  model.ask({ ...ALL, search: "r29" });
  expect(model.get()).toMatchObject({ stale: true });
  expect(model.get().rows).toHaveLength(200);
  await settled();
  expect(model.get()).toMatchObject({ stale: false, total: 11 });
});

test("while frozen, rows keep their places: new ones wait, changed ones change, gone ones are marked", async () => {
  const content = { rows: rows(0, 3) };
  const { model } = server(content);
  model.ask(ALL);
  await settled();
  model.freeze(true);
  content.rows = [{ id: "new" }, { id: "r0", text: "changed" }, { id: "r2" }];
  model.refresh();
  await settled();
  expect(model.get().rows.map((row) => row.id)).toEqual(["r0", "r1", "r2"]);
  expect(model.get().rows[0]?.text).toBe("changed");
  expect(model.get().fresh).toBe(1);
  expect([...model.get().gone]).toEqual(["r1"]);
  model.freeze(false);
  expect(model.get().rows.map((row) => row.id)).toEqual(["new", "r0", "r2"]);
  expect(model.get().fresh).toBe(0);
});

test("what failed keeps its rows, and can be tried again", async () => {
  const content = { rows: rows(0, 3), fail: false };
  const { model } = server(content);
  model.ask(ALL);
  await settled();
  content.fail = true;
  model.refresh();
  await settled();
  expect(model.get().state).toBe("failed");
  expect(model.get().rows).toHaveLength(3);
  content.fail = false;
  model.retry();
  await settled();
  expect(model.get().state).toBe("ready");
});

test("changes that come while it reads lead to one more reading", async () => {
  const { model, asked } = server({ rows: rows(0, 3) });
  model.ask(ALL);
  model.refresh();
  model.refresh();
  await settled();
  expect(asked).toHaveLength(2);
});

test("an export has all rows of the query", async () => {
  const { model } = server({ rows: rows(0, 4500) });
  model.ask(ALL);
  const told = vi.fn();
  expect(await model.everything(told, new AbortController().signal)).toHaveLength(4500);
  expect(told).toHaveBeenLastCalledWith(4500);
});
