/** One record beside its list: docked from 1280 px, over the list below, the whole screen on a phone. */
import { useLingui } from "@lingui/react/macro";
import { type KeyboardEvent, type ReactNode, useEffect, useRef } from "react";
import { IconButton } from "../base/Button.tsx";
import css from "./Drawer.module.css";
import { type Tab, Tabs } from "./Tabs.tsx";

export interface DrawerProps {
  title: ReactNode;
  /** Its name to screen readers. */
  label: string;
  subtitle?: ReactNode;
  /** A menu, beside the closing button. */
  more?: ReactNode;
  tabs?: readonly Tab[];
  tab?: string;
  onTab?: (id: string) => void;
  /** The bar below: what can be done to the record, or Save. */
  footer?: ReactNode;
  onClose: () => void;
  children: ReactNode;
}

/** A list and its drawer. */
export function Split({ children }: { children: ReactNode }) {
  return <div className={css.split}>{children}</div>;
}

export function Drawer({ title, label, subtitle, more, tabs, tab, onTab, footer, onClose, children }: DrawerProps) {
  const { t } = useLingui();
  const panel = useRef<HTMLElement>(null);
  const before = useRef<Element | null>(null);

  // Over the list it takes the focus; docked, the list keeps it, and its arrows turn the pages of the drawer.
  useEffect(() => {
    if (matchMedia("(min-width: 1280px)").matches) return undefined;
    before.current = document.activeElement;
    panel.current?.focus();
    return () => (before.current as HTMLElement | null)?.focus?.();
  }, []);

  const key = (event: KeyboardEvent) => {
    // A dialog that a drawer opens stands elsewhere in the page, and its keys come here all the same.
    if (event.key !== "Escape" || event.defaultPrevented || !panel.current?.contains(event.target as Node)) return;
    event.preventDefault();
    onClose();
  };

  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- Escape, from anywhere inside
    <aside ref={panel} className={css.drawer} aria-label={label} tabIndex={-1} onKeyDown={key}>
      <header className={css.head}>
        <div>
          <h2 className="ellipsis">{title}</h2>
          {subtitle && <p className="ellipsis">{subtitle}</p>}
        </div>
        {more}
        <IconButton icon="close" label={t`Close (Esc)`} onClick={onClose} />
      </header>
      {tabs && tabs.length > 1 && <Tabs tabs={tabs} value={tab ?? tabs[0]?.id ?? ""} onChange={(id) => onTab?.(id)} />}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls */}
      <div className={css.body} role="region" aria-label={t`${label}, details`} tabIndex={0}>
        {children}
      </div>
      {footer && <footer className={css.foot}>{footer}</footer>}
    </aside>
  );
}

/** Names and values, as in a record. */
export function Facts({ facts }: { facts: readonly (readonly [ReactNode, ReactNode] | null | false)[] }) {
  return (
    <dl className={css.facts}>
      {facts.map((fact, at) =>
        fact ? (
          // oxlint-disable-next-line react/no-array-index-key -- facts have an order and nothing else
          <div key={at}>
            <dt>{fact[0]}</dt>
            <dd>{fact[1]}</dd>
          </div>
        ) : null,
      )}
    </dl>
  );
}
