/** Rows on a grid of fixed height, only those in sight; the keys of a list. */
import { useLingui } from "@lingui/react/macro";
import { useMediaQuery } from "@mantine/hooks";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type RefObject, useCallback, useEffect, useId, useMemo, useRef, useState } from "react";
import { useStore } from "@/api/store.ts";
import { density } from "@/app/preferences.ts";
import type { Column } from "./columns.ts";
import { Head } from "./Head.tsx";
import css from "./List.module.css";
import type { ListModel, ListView } from "./model.ts";
import { Row, Skeleton } from "./Row.tsx";
import { all, extended, type Selection, toggled } from "./selection.ts";

interface Props<R> {
  model: ListModel<R>;
  view: ListView<R>;
  columns: readonly Column<R>[];
  label: string;
  sort: string;
  onSort: (sort: string) => void;
  open: string | null;
  onOpen: (id: string | null) => void;
  selection: Selection;
  onSelect: ((selection: Selection) => void) | null;
  clear: () => void;
  onHover: (hovered: boolean) => void;
  filter: RefObject<HTMLInputElement | null>;
  stale: boolean;
}

const SKELETONS = 12;

export function Rows<R>(props: Props<R>) {
  const { model, view, columns, open, onOpen, selection, onSelect } = props;
  const { t } = useLingui();
  const prefix = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const phone = useMediaQuery("(max-width: 599px)", false, { getInitialValueInEffect: false }) ?? false;
  const compact = useStore(density) === "compact";
  const height = phone ? 60 : compact ? 32 : 40;
  const order = useMemo(() => view.rows.map((row) => model.id(row)), [view.rows, model]);
  const [current, setCurrent] = useState<string | null>(open);
  const { base } = view;
  const at = useMemo(() => {
    const index = current === null ? -1 : order.indexOf(current);
    return index < 0 ? -1 : base + index;
  }, [order, current, base]);
  /** The row that is to be the current one as soon as it has been read. */
  const [awaited, setAwaited] = useState<number | null>(null);
  const loading = view.state === "loading" && !order.length;
  const count = loading ? SKELETONS : Math.max(view.total, base + order.length);

  const virtual = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 12,
    scrollPaddingStart: phone ? 0 : 32,
  });
  useEffect(() => virtual.measure(), [virtual, height]);
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  const first = items[0]?.index ?? 0;
  useEffect(() => model.need(last, first), [model, last, first]);
  useEffect(() => {
    const id = awaited === null ? undefined : order[awaited - base];
    if (id === undefined) return;
    setAwaited(null);
    setCurrent(id);
  }, [awaited, order, base]);
  useEffect(() => {
    if (open !== null) setCurrent(open);
  }, [open]);

  const tracks = `${onSelect ? "24px " : ""}${columns.map((column) => column.width).join(" ")}`;

  const choose = useCallback(
    (id: string, range: boolean) => {
      setCurrent(id);
      onSelect?.(range ? extended(selection, id, order) : toggled(selection, id));
    },
    [onSelect, selection, order],
  );
  const press = useCallback(
    (id: string) => {
      setCurrent(id);
      onOpen(id);
    },
    [onOpen],
  );

  const go = (to: number, range = false) => {
    const index = Math.max(0, Math.min(count - 1, to));
    const id = order[index - base];
    virtual.scrollToIndex(index);
    setAwaited(id === undefined ? index : null);
    if (id === undefined) return;
    if (range && onSelect) {
      const from = selection.ids.size ? selection : { ids: new Set(current ? [current] : []), anchor: current };
      onSelect(extended(from, id, order));
    }
    setCurrent(id);
    // The drawer follows once it is open.
    if (open !== null) onOpen(id);
  };

  const key = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 400) / height) - 2);
    const act = keys({ go, at, page, count, order, ...props, current, choose, press });
    const name = `${event.ctrlKey || event.metaKey ? "Ctrl " : ""}${event.shiftKey && event.key.length > 1 ? "Shift " : ""}${event.key}`;
    const found = act[name];
    if (!found) return;
    event.preventDefault();
    found();
  };

  return (
    <div
      ref={scroller}
      className={css.scroll}
      data-phone={phone || undefined}
      data-stale={props.stale || undefined}
      role="grid"
      tabIndex={0}
      aria-label={props.label}
      aria-busy={loading || view.stale}
      aria-rowcount={view.exact ? count + 1 : -1}
      aria-multiselectable={!!onSelect}
      aria-activedescendant={at >= 0 ? `${prefix}${current}` : undefined}
      style={{ "--tracks": tracks } as React.CSSProperties}
      onKeyDown={key}
      onMouseLeave={() => props.onHover(false)}
    >
      <Head
        {...{ columns, sort: props.sort, onSort: props.onSort }}
        check={
          onSelect && {
            state: !selection.ids.size ? "none" : selection.ids.size >= order.length ? "all" : "some",
            label: t`Select all that are shown`,
            toggle: () => onSelect(selection.ids.size >= order.length ? { ids: new Set(), anchor: null } : all(order)),
          }
        }
      />
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- it only tells where the pointer is */}
      <div
        className={css.body}
        role="rowgroup"
        style={{ height: virtual.getTotalSize() }}
        onMouseEnter={() => props.onHover(true)}
      >
        {items.map((item) => {
          const row = view.rows[item.index - base];
          if (row === undefined) return <Skeleton key={item.key} top={item.start} height={height} columns={columns} />;
          const id = model.id(row);
          return (
            <Row
              key={id}
              elementId={`${prefix}${id}`}
              {...{ row, id, columns, height }}
              index={item.index}
              top={item.start}
              open={id === open}
              current={id === current}
              selected={onSelect ? selection.ids.has(id) : null}
              gone={view.gone.has(id)}
              onPress={press}
              onCheck={choose}
            />
          );
        })}
      </div>
    </div>
  );
}

interface Keys<R> extends Props<R> {
  go: (to: number, range?: boolean) => void;
  at: number;
  page: number;
  count: number;
  order: readonly string[];
  current: string | null;
  choose: (id: string, range: boolean) => void;
  press: (id: string) => void;
}

/** What each key does, by its name. */
function keys<R>(list: Keys<R>): Record<string, () => void> {
  const { go, at, page, count, order, current } = list;
  const down = () => go(at + 1);
  const up = () => go(at < 0 ? 0 : at - 1);
  const press = () => current !== null && list.press(current);
  const select = () => current !== null && list.choose(current, false);
  return {
    ArrowDown: down,
    j: down,
    ArrowUp: up,
    k: up,
    "Shift ArrowDown": () => go(at + 1, true),
    "Shift ArrowUp": () => go(at - 1, true),
    J: () => go(at + 1, true),
    K: () => go(at - 1, true),
    PageDown: () => go(at + page),
    PageUp: () => go(at - page),
    Home: () => go(0),
    End: () => go(count - 1),
    Enter: press,
    o: press,
    x: select,
    " ": select,
    "Ctrl a": () => list.onSelect?.(all(order)),
    Escape: () => (list.selection.ids.size ? list.clear() : list.onOpen(null)),
    "/": () => list.filter.current?.focus(),
  };
}
