/** The keys of a list, and what it says when there is nothing to show. */
import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { MantineProvider } from "@mantine/core";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Column } from "./columns.ts";
import { List, type Selected } from "./List.tsx";
import { ListModel, type ListQuery } from "./model.ts";

interface Row {
  id: string;
}

const COLUMNS: Column<Row>[] = [{ id: "name", title: "Name", width: "1fr", phone: "name", cell: (row) => row.id }];

beforeEach(() => {
  // Without a layout nothing has a size, and no row would be in sight.
  vi.spyOn(HTMLElement.prototype, "offsetHeight", "get").mockReturnValue(400);
  vi.spyOn(HTMLElement.prototype, "offsetWidth", "get").mockReturnValue(900);
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(400);
});

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

function show(rows: Row[] | Error) {
  const selected: string[][] = [];
  const fetch = vi.fn(async () => {
    if (rows instanceof Error) throw rows;
    return { items: rows, more: "", total: rows.length };
  });
  const model = new ListModel<Row>({ id: (row) => row.id, fetch });
  function Screen() {
    const [query, setQuery] = useState<ListQuery>({ search: "", sort: "", filters: {} });
    const [open, setOpen] = useState<string | null>(null);
    return (
      <>
        <List
          name="test"
          label="Rows"
          {...{ model, query, open }}
          columns={COLUMNS}
          onQuery={(change) => setQuery({ ...query, ...change })}
          onOpen={setOpen}
          placeholder="Filter"
          empty={<p>There is none.</p>}
          failed="They could not be read."
          bulk={({ ids }: Selected<Row>) => {
            selected.push([...ids]);
            return <span>{ids.join(" ")}</span>;
          }}
        />
        <output>{open ?? "closed"}</output>
      </>
    );
  }
  render(
    <I18nProvider i18n={i18n}>
      <MantineProvider>
        <Screen />
      </MantineProvider>
    </I18nProvider>,
  );
  return { fetch };
}

const ROWS = ["a", "b", "c"].map((id) => ({ id }));

test("arrows move, Enter opens, Escape closes, and an open drawer follows", async () => {
  show(ROWS);
  const grid = await screen.findByRole("grid");
  await screen.findByText("b");
  fireEvent.keyDown(grid, { key: "ArrowDown" });
  fireEvent.keyDown(grid, { key: "j" });
  fireEvent.keyDown(grid, { key: "Enter" });
  expect(document.querySelector("output")?.textContent).toBe("b");
  fireEvent.keyDown(grid, { key: "ArrowDown" });
  expect(document.querySelector("output")?.textContent).toBe("c");
  expect(document.getElementById(grid.getAttribute("aria-activedescendant") ?? "")?.textContent).toContain("c");
  fireEvent.keyDown(grid, { key: "Escape" });
  expect(document.querySelector("output")?.textContent).toBe("closed");
});

test("x selects, Shift extends, Ctrl A takes all, Escape clears", async () => {
  show(ROWS);
  const grid = await screen.findByRole("grid");
  await screen.findByText("b");
  fireEvent.keyDown(grid, { key: "Home" });
  fireEvent.keyDown(grid, { key: "x" });
  expect(screen.getByText("1 selected")).toBeTruthy();
  fireEvent.keyDown(grid, { key: "ArrowDown", shiftKey: true });
  expect(screen.getByText("2 selected")).toBeTruthy();
  fireEvent.keyDown(grid, { key: "a", ctrlKey: true });
  expect(screen.getByText("a b c")).toBeTruthy();
  fireEvent.keyDown(grid, { key: "Escape" });
  expect(screen.queryByText(/selected/)).toBeNull();
});

test("where there is nothing it says so, and where nothing matches it offers all", async () => {
  show([]);
  await screen.findByText("There is none.");
  fireEvent.change(screen.getByLabelText("Filter"), { target: { value: "zebra" } });
  await screen.findByText("Nothing matches “zebra”.");
  fireEvent.click(screen.getByText("Show all"));
  await screen.findByText("There is none.");
});

test("what failed is said in the server's words, with a way to try again", async () => {
  const { fetch } = show(new Error("queue.db cannot be opened"));
  await screen.findByText("They could not be read.");
  expect(screen.getByText("queue.db cannot be opened")).toBeTruthy();
  fireEvent.click(screen.getByText("Retry"));
  await waitFor(() => expect(fetch).toHaveBeenCalledTimes(2));
});
