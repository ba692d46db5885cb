import { type KeyboardEvent, type ReactNode, useRef } from "react";
import { useLingui } from "@lingui/react/macro";
import css from "./Tabs.module.css";

export interface Tab {
  readonly id: string;
  readonly title: ReactNode;
  /** Something in it has not been saved. */
  readonly dirty?: boolean;
  /** Something in it is wrong. */
  readonly wrong?: boolean;
}

/** A row of tabs with one stop for the Tab key; arrows, Home and End move and choose. WAI-ARIA: Tabs. */
export function Tabs({
  tabs,
  value,
  onChange,
}: {
  tabs: readonly Tab[];
  value: string;
  onChange: (id: string) => void;
}) {
  const { t } = useLingui();
  const list = useRef<HTMLDivElement>(null);
  const key = (event: KeyboardEvent) => {
    const at = tabs.findIndex((tab) => tab.id === value);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    if (!next) return;
    onChange(next.id);
    list.current?.querySelectorAll<HTMLElement>("[role=tab]")[(to + tabs.length) % tabs.length]?.focus();
  };
  return (
    <div ref={list} role="tablist" className={css.tabs} tabIndex={-1} onKeyDown={key}>
      {tabs.map((tab) => (
        <button
          key={tab.id}
          type="button"
          role="tab"
          aria-selected={tab.id === value}
          tabIndex={tab.id === value ? 0 : -1}
          onClick={() => onChange(tab.id)}
        >
          {tab.title}
          {tab.wrong ? (
            <i className={css.wrong} title={t`Something here is wrong`} />
          ) : (
            tab.dirty && <i className="dot" title={t`Changes not saved`} />
          )}
        </button>
      ))}
    </div>
  );
}
