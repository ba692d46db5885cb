/** Above a list: filter, count, columns, density, export. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Menu } from "@mantine/core";
import { type RefObject, useEffect, useState } from "react";
import { toast } from "@/api/operations.ts";
import { setDensity } from "@/app/preferences.ts";
import { Button, IconButton } from "../base/Button.tsx";
import { Icon } from "../base/Icon.tsx";
import { number } from "../base/Moment.tsx";
import type { Columns } from "./columns.ts";
import { csv, save } from "./csv.ts";
import type { ListProps } from "./List.tsx";
import css from "./List.module.css";
import type { ListView } from "./model.ts";

const TYPING = 150;

interface Props<R> extends ListProps<R> {
  chosen: Columns<R>;
  filter: RefObject<HTMLInputElement | null>;
  view: ListView<R>;
}

export function Toolbar<R>(props: Props<R>) {
  const { query, onQuery, placeholder, view, filter } = props;
  const { t } = useLingui();
  const [typed, setTyped] = useState(query.search);
  useEffect(() => setTyped(query.search), [query.search]);
  useEffect(() => {
    if (typed === query.search) return undefined;
    const timer = setTimeout(() => onQuery({ search: typed }), TYPING);
    return () => clearTimeout(timer);
  }, [typed, query.search, onQuery]);
  const total = number(view.total);
  return (
    <div className={css.toolbar}>
      <label className={css.filter}>
        <Icon name="filter" />
        <input
          ref={filter}
          value={typed}
          placeholder={placeholder}
          aria-label={placeholder}
          spellCheck={false}
          autoFocus={props.autoFocus}
          onChange={(event) => setTyped(event.target.value)}
          onKeyDown={(event) => event.key === "Escape" && typed && (event.stopPropagation(), setTyped(""))}
        />
        {typed && (
          <button type="button" aria-label={t`Clear the filter`} onClick={() => setTyped("")}>
            <Icon name="close" size={14} />
          </button>
        )}
      </label>
      {props.filters}
      <span className={css.count} role="status">
        {view.state !== "loading" &&
          (view.rows.length > 0 || view.exact) &&
          (view.exact ? total : t`more than ${total}`)}
      </span>
      <span className={css.tools}>
        <ColumnMenu {...props} />
        <IconButton icon="rows" label={t`Density`} onClick={() => setDensity()} />
        <Export {...props} />
      </span>
    </div>
  );
}

function ColumnMenu<R>({ chosen }: Props<R>) {
  const { t } = useLingui();
  return (
    <Menu position="bottom-end" closeOnItemClick={false}>
      <Menu.Target>
        <IconButton icon="columns" label={t`Columns`} />
      </Menu.Target>
      <Menu.Dropdown>
        {chosen.all.map((column, at) => (
          <Menu.CheckboxItem
            key={column.id}
            checked={chosen.shown.includes(column)}
            disabled={at === 0}
            onChange={() => chosen.toggle(column.id)}
            checkIcon={<Icon name="check" />}
          >
            {column.title}
          </Menu.CheckboxItem>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function Export<R>({ model, name, chosen }: Props<R>) {
  const { t } = useLingui();
  const [busy, setBusy] = useState<{ count: number; stop: AbortController } | null>(null);
  const start = async () => {
    const stop = new AbortController();
    setBusy({ count: 0, stop });
    try {
      const rows = await model.everything((count) => setBusy({ count, stop }), stop.signal);
      const written = chosen.shown.filter((column) => column.text);
      const lines = rows.map((row) => written.map((column) => column.text?.(row)));
      const head = written.map((column) => column.title);
      save(`${name}-${new Date().toISOString().slice(0, 10)}.csv`, csv(head, lines));
    } catch (error) {
      if (!stop.signal.aborted) toast(t`The export failed: ${error instanceof Error ? error.message : ""}`, "failed");
    } finally {
      setBusy(null);
    }
  };
  if (busy) {
    const read = number(busy.count);
    return (
      <Button small onClick={() => busy.stop.abort()}>
        <Trans>{read} read. Stop</Trans>
      </Button>
    );
  }
  return <IconButton icon="download" label={t`Export as CSV`} onClick={() => void start()} />;
}
