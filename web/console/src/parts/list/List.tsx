/** The list of every screen: filter, rows, what is selected, and what there is to say when there are none. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useElementSize } from "@mantine/hooks";
import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { Button } from "../base/Button.tsx";
import { Failure, Notice } from "../base/Notice.tsx";
import { type Column, fitting, useColumns } from "./columns.ts";
import css from "./List.module.css";
import type { ListModel, ListQuery } from "./model.ts";
import { Rows } from "./Rows.tsx";
import { NONE, type Selection } from "./selection.ts";
import { Toolbar } from "./Toolbar.tsx";

export interface Selected<R> {
  readonly ids: readonly string[];
  /** Those of them that have been read. */
  readonly rows: readonly R[];
  readonly clear: () => void;
}

export interface ListProps<R> {
  /** Under which the choice of columns is remembered, and the name of exported files. */
  name: string;
  label: string;
  model: ListModel<R>;
  columns: readonly Column<R>[];
  query: ListQuery;
  onQuery: (change: Partial<ListQuery>) => void;
  /** The record in the drawer. */
  open: string | null;
  onOpen: (id: string | null) => void;
  /** "Filter by name or address" */
  placeholder: string;
  /** The filter is what one came for. */
  autoFocus?: boolean;
  /** Beside the filter: choices, chips. */
  filters?: ReactNode;
  /** Buttons for what is selected; without it nothing can be. */
  bulk?: (selected: Selected<R>) => ReactNode;
  /** What to say, and to press, where there is nothing at all. */
  empty: ReactNode;
  /** Where nothing matches, if there is more to say than that. */
  nothing?: ReactNode;
  /** Below the rows: what is not among them. */
  foot?: ReactNode;
  /** "The users could not be read." */
  failed: string;
  /** False while this list shows what was so a while ago. */
  live?: boolean;
}

export function List<R>(props: ListProps<R>) {
  const { model, query, columns, name, open, onOpen } = props;
  const view = useSyncExternalStore(model.subscribe, model.get);
  const [selection, setSelection] = useState<Selection>(NONE);
  const [hovered, setHovered] = useState(false);
  const chosen = useColumns(name, columns);
  const { ref, width } = useElementSize();
  const filter = useRef<HTMLInputElement>(null);
  const visible = useMemo(() => fitting(chosen.shown, width || 1000), [chosen, width]);

  useEffect(() => model.ask(query), [model, query]);
  useEffect(() => model.freeze(hovered || selection.ids.size > 0), [model, hovered, selection]);
  useEffect(() => setSelection(NONE), [query]);

  const clear = useCallback(() => setSelection(NONE), []);
  const filtered = query.search !== "" || Object.values(query.filters).some(Boolean);
  const nothing = view.state === "ready" && view.rows.length === 0;

  return (
    <section className={css.list} ref={ref} aria-label={props.label}>
      <Toolbar {...props} chosen={chosen} filter={filter} view={view} />
      {view.fresh > 0 && (
        <button type="button" className={css.fresh} onClick={() => model.thaw()}>
          <Plural value={view.fresh} one="# new: show" other="# new: show" />
        </button>
      )}
      {view.state === "failed" && view.rows.length === 0 ? (
        <Failure what={props.failed} error={view.error} retry={() => model.retry()} />
      ) : nothing ? (
        <div className={css.scroll}>{filtered ? (props.nothing ?? <NoMatch {...props} />) : props.empty}</div>
      ) : (
        <Rows
          {...{ model, view, open, onOpen, selection, clear }}
          columns={visible}
          label={props.label}
          sort={query.sort}
          onSort={(sort) => props.onQuery({ sort })}
          onSelect={props.bulk ? setSelection : null}
          onHover={setHovered}
          filter={filter}
          stale={view.stale || props.live === false}
        />
      )}
      {!nothing && props.foot}
      {view.state === "failed" && view.rows.length > 0 && <More error={view.error} retry={() => model.retry()} />}
      {props.bulk && selection.ids.size > 0 && (
        <div className={css.bulk} role="toolbar" aria-label={props.label}>
          <b>
            <Plural value={selection.ids.size} one="# selected" other="# selected" />
          </b>
          {props.bulk({
            ids: [...selection.ids],
            rows: view.rows.filter((row) => selection.ids.has(model.id(row))),
            clear,
          })}
          <Button kind="quiet" className={css.clear} onClick={clear}>
            <Trans>Clear</Trans>
          </Button>
        </div>
      )}
    </section>
  );
}

function NoMatch<R>({ query, onQuery }: ListProps<R>) {
  const { t } = useLingui();
  return (
    <Notice
      icon="search"
      title={query.search ? t`Nothing matches “${query.search}”.` : t`Nothing matches these filters.`}
      action={
        <Button onClick={() => onQuery({ search: "", filters: {} })}>
          <Trans>Show all</Trans>
        </Button>
      }
    />
  );
}

/** Some rows are there, further ones could not be read. */
function More({ error, retry }: { error: unknown; retry: () => void }) {
  return (
    <div className={css.broken} role="alert">
      <span className="error">{error instanceof Error ? error.message : String(error)}</span>
      <Button small icon="redo" onClick={retry}>
        <Trans>Retry</Trans>
      </Button>
    </div>
  );
}
