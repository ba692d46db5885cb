import { useLingui } from "@lingui/react/macro";
import { type CSSProperties, memo, type MouseEvent } from "react";
import type { Column } from "./columns.ts";
import css from "./List.module.css";

interface Props<R> {
  elementId: string;
  row: R;
  id: string;
  index: number;
  columns: readonly Column<R>[];
  top: number;
  height: number;
  open: boolean;
  current: boolean;
  /** Null where nothing can be selected. */
  selected: boolean | null;
  gone: boolean;
  onPress: (id: string) => void;
  onCheck: (id: string, range: boolean) => void;
}

function PlainRow<R>({ row, id, columns, top, height, selected, onPress, onCheck, ...rest }: Props<R>) {
  const { t } = useLingui();
  const press = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) {
      if (selected !== null) onCheck(id, event.shiftKey);
    } else if (!String(getSelection() ?? "")) {
      onPress(id);
    }
  };
  return (
    // oxlint-disable-next-line jsx-a11y/click-events-have-key-events -- keys belong to the grid, which has the focus
    <div
      id={rest.elementId}
      role="row"
      aria-rowindex={rest.index + 2}
      aria-selected={selected ?? undefined}
      className={css.row}
      data-open={rest.open || undefined}
      data-selected={selected || undefined}
      data-current={rest.current || undefined}
      data-gone={rest.gone || undefined}
      style={place(top, height)}
      onClick={press}
    >
      {selected !== null && (
        <div role="gridcell" className={css.check}>
          <input
            type="checkbox"
            tabIndex={-1}
            aria-label={t`Select ${id}`}
            checked={selected}
            onClick={(event) => {
              event.stopPropagation();
              onCheck(id, event.shiftKey);
            }}
            onChange={() => undefined}
          />
        </div>
      )}
      {columns.map((column) => (
        <div key={column.id} role="gridcell" className={css.cell} data-align={column.align} data-place={column.phone}>
          {column.cell(row)}
        </div>
      ))}
    </div>
  );
}

export const Row = memo(PlainRow) as typeof PlainRow;

export function Skeleton<R>({ columns, top, height }: { columns: readonly Column<R>[]; top: number; height: number }) {
  return (
    <div className={css.row} aria-hidden style={place(top, height)}>
      <div className={css.check} />
      {columns.map((column) => (
        <div key={column.id} className={css.cell} data-place={column.phone}>
          <span className={css.bone} />
        </div>
      ))}
    </div>
  );
}

const place = (top: number, height: number): CSSProperties => ({ transform: `translateY(${top}px)`, height });
