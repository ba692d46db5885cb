import { describe, expect, test, vi } from "vitest";
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
function server(content: { rows: Row[]; fail?: boolean }, jumps?: boolean) {
  const asked: PageRequest[] = [];
  const fetch = async (request: PageRequest): Promise<Page<Row>> => {
    asked.push(request);
    if (content.fail) throw new Error("queue.db cannot be opened");
    const matching = content.rows.filter((row) => row.id.includes(request.search));
    const from = Number(request.after || 0) + (request.skip ?? 0);
    const end = from + request.limit;
    return { items: matching.slice(from, end), more: end < matching.length ? String(end) : "", total: matching.length };
  };
  const able = jumps === undefined ? {} : { jumps: async () => jumps };
  return { asked, model: new ListModel<Row>({ fetch, id: (row) => row.id, ...able }) };
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

describe("a jump to the end of a long list", () => {
  const END = 99_999;
  const shown = (model: ListModel<Row>, index: number) => model.get().rows[index - model.get().base]?.id;

  test("reads only what is seen there, and goes on from there in both directions", async () => {
    const { model, asked } = server({ rows: rows(0, 100_000) }, true);
    model.ask(ALL);
    await settled();
    model.need(END, END - 30);
    await settled();
    expect(asked).toHaveLength(2);
    expect(shown(model, END)).toBe("r99999");
    expect(model.get()).toMatchObject({ total: 100_000, exact: true, state: "ready" });
    expect(model.get().rows.length).toBeLessThan(1000);
    model.need(END - 400, END - 430);
    await settled();
    expect(shown(model, END - 430)).toBe(`r${END - 430}`);
    model.need(30, 0);
    await settled();
    expect(model.get().base).toBe(0);
    expect(shown(model, 0)).toBe("r0");
    expect(asked.length).toBeLessThan(6);
  });

  test("what is dragged over on the way is not read", async () => {
    const { model, asked } = server({ rows: rows(0, 100_000) }, true);
    model.ask(ALL);
    await settled();
    for (let index = 5000; index < END; index += 1000) model.need(index, index - 30);
    model.need(END, END - 30);
    await settled();
    expect(shown(model, END)).toBe("r99999");
    expect(asked.length).toBeLessThan(5);
  });

  test("a change on the server reads the part that is shown anew", async () => {
    const content = { rows: rows(0, 100_000) };
    const { model } = server(content, true);
    model.ask(ALL);
    await settled();
    model.need(END, END - 30);
    await settled();
    content.rows = content.rows.slice(0, -1);
    model.refresh();
    await settled();
    expect(model.get().total).toBe(99_999);
    expect(shown(model, 99_998)).toBe("r99998");
    expect(model.get().base).toBeGreaterThan(90_000);
    model.ask({ ...ALL, search: "r1234" });
    await settled();
    expect(model.get().base).toBe(0);
    expect(model.get().rows[0]?.id).toBe("r1234");
  });

  test("of a server that cannot, pages follow each other", async () => {
    const { model } = server({ rows: rows(0, 20_000) }, false);
    model.ask(ALL);
    await settled();
    model.need(19_999, 19_970);
    await settled();
    await settled();
    expect(model.get().base).toBe(0);
    expect(shown(model, 19_999)).toBe("r19999");
  });
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
