import { Icon } from "../base/Icon.tsx";
import type { Column } from "./columns.ts";
import css from "./List.module.css";

interface Props<R> {
  columns: readonly Column<R>[];
  sort: string;
  onSort: (sort: string) => void;
  check: { state: "none" | "some" | "all"; label: string; toggle: () => void } | null;
}

export function Head<R>({ columns, sort, onSort, check }: Props<R>) {
  const by = sort.replace(/^-/, "");
  const down = sort.startsWith("-");
  return (
    <div role="rowgroup" className={css.head}>
      <div role="row" className={css.headRow} aria-rowindex={1}>
        {check && (
          <div role="columnheader" className={css.check}>
            <input
              type="checkbox"
              aria-label={check.label}
              checked={check.state === "all"}
              ref={(element) => {
                if (element) element.indeterminate = check.state === "some";
              }}
              onChange={check.toggle}
            />
          </div>
        )}
        {columns.map((column) => {
          const sorted = column.sort !== undefined && column.sort === by;
          return (
            <div
              key={column.id}
              role="columnheader"
              className={css.title}
              data-align={column.align}
              aria-sort={sorted ? (down ? "descending" : "ascending") : undefined}
            >
              {column.sort === undefined ? (
                <span className="ellipsis">{column.title}</span>
              ) : (
                <button type="button" onClick={() => onSort(sorted && !down ? `-${column.sort}` : (column.sort ?? ""))}>
                  <span className="ellipsis">{column.title}</span>
                  {sorted && <Icon name={down ? "up" : "down"} size={12} />}
                </button>
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}
