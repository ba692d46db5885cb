/** Which columns a list shows: those that were chosen, as far as there is room. */
import { type ReactNode, useMemo, useState } from "react";

export interface Column<R> {
  readonly id: string;
  readonly title: string;
  /** A track of a grid: "112px", "minmax(160px, 2fr)". */
  readonly width: string;
  readonly cell: (row: R) => ReactNode;
  /** What the server calls it when it sorts; columns without it are not sorted by. */
  readonly sort?: string;
  readonly align?: "end";
  /** "low" goes first when there is little room (below 860 px), "medium" next (600 px). */
  readonly room?: "low" | "medium";
  /** Its place below 600 px of screen: the name, one figure, the state. The others are in the drawer. */
  readonly phone?: "name" | "figure" | "state";
  /** Not shown until it is chosen. */
  readonly extra?: boolean;
  /** For the export; without it the column is not in the file. */
  readonly text?: (row: R) => string | number | null;
}

function remembered(list: string): Record<string, boolean> {
  try {
    return JSON.parse(localStorage.getItem(`columns.${list}`) ?? "{}") as Record<string, boolean>;
  } catch {
    return {};
  }
}

export interface Columns<R> {
  readonly all: readonly Column<R>[];
  readonly shown: readonly Column<R>[];
  /** The first one names the row, and always stays. */
  readonly toggle: (id: string) => void;
}

export function useColumns<R>(list: string, columns: readonly Column<R>[]): Columns<R> {
  const [chosen, setChosen] = useState(() => remembered(list));
  return useMemo(() => {
    const shows = (column: Column<R>) => column === columns[0] || (chosen[column.id] ?? !column.extra);
    return {
      all: columns,
      shown: columns.filter(shows),
      toggle: (id) => {
        const column = columns.find((each) => each.id === id);
        if (!column) return;
        const next = { ...chosen, [id]: !shows(column) };
        localStorage.setItem(`columns.${list}`, JSON.stringify(next));
        setChosen(next);
      },
    };
  }, [list, columns, chosen]);
}

/** Those of `columns` for which `width` pixels suffice. */
export function fitting<R>(columns: readonly Column<R>[], width: number): readonly Column<R>[] {
  return columns.filter(
    (column) => !(column.room === "low" && width < 860) && !(column.room === "medium" && width < 600),
  );
}
