/** What every screen begins with: its name, what is so in one line, the search, one primary button. */
import { useLingui } from "@lingui/react/macro";
import { type ReactNode, useEffect } from "react";
import { Icon } from "@/parts/base/Icon.tsx";
import { openPalette } from "./palette/state.ts";
import css from "./Page.module.css";

interface Props {
  title: string;
  /** "14 waiting, oldest 2 h 35 min" */
  summary?: ReactNode;
  /** The primary button. */
  action?: ReactNode;
  children: ReactNode;
}

export function Page({ title, summary, action, children }: Props) {
  const { t } = useLingui();
  useEffect(() => {
    document.title = `${title} · Whimbrel`;
  }, [title]);
  return (
    <>
      <header className={css.head}>
        <div className={css.title}>
          <h1>{title}</h1>
          {summary && <p className="ellipsis">{summary}</p>}
        </div>
        <button type="button" className={css.search} onClick={() => openPalette()} aria-keyshortcuts="Control+K">
          <Icon name="search" />
          <span className="ellipsis">{t`Address, setting, ID, screen`}</span>
          <kbd>Ctrl K</kbd>
        </button>
        {action}
      </header>
      {children}
    </>
  );
}

/** The scrolling part of a screen that is no list. */
export function Scroll({ label, children }: { label: string; children: ReactNode }) {
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
    <div className={css.scroll} role="region" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}
