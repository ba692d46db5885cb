/** `Ctrl K`: one place to find every screen, setting, person and message. WAI-ARIA: Combobox. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Modal } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import { useStore } from "@/api/store.ts";
import { Icon } from "@/parts/base/Icon.tsx";
import { type Entry, useEntries } from "./entries.ts";
import { gist } from "./find.ts";
import css from "./Palette.module.css";
import { closePalette, palette } from "./state.ts";

export function Palette() {
  const { t } = useLingui();
  const { open } = useStore(palette);
  return (
    <Modal.Root opened={open} onClose={closePalette} size={640} lockScroll={false}>
      <Modal.Overlay />
      <Modal.Content className={css.content} aria-label={t`Search`}>
        <Search />
      </Modal.Content>
    </Modal.Root>
  );
}

function Search() {
  const { t } = useLingui();
  const navigate = useNavigate();
  const [text, setText] = useState(palette.get().text);
  const [at, setAt] = useState(0);
  const { entries, searching } = useEntries(text);
  const list = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  // At once: the dialog's own focus comes a moment later, and what is typed until then would be lost.
  useLayoutEffect(() => input.current?.focus(), []);
  const current = Math.min(at, entries.length - 1);
  useEffect(() => {
    list.current?.children[current]?.scrollIntoView({ block: "nearest" });
  }, [current]);

  const take = (entry: Entry | undefined) => {
    if (!entry) return;
    closePalette();
    if (entry.act) entry.act();
    else if (entry.to) void navigate({ to: entry.to.path, search: (entry.to.search ?? {}) as never });
  };
  const key = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (step) {
      event.preventDefault();
      const wrap = Math.abs(step) === 1 ? (current + step + entries.length) % entries.length : current + step;
      setAt(Math.max(0, Math.min(entries.length - 1, wrap)));
    } else if (event.key === "Enter") {
      event.preventDefault();
      take(entries[current]);
    }
  };
  return (
    <>
      <div className={css.input}>
        <Icon name="search" />
        <input
          ref={input}
          role="combobox"
          aria-expanded
          aria-controls={`${id}list`}
          aria-activedescendant={entries[current] ? `${id}${current}` : undefined}
          aria-label={t`Search screens, settings, users, messages`}
          placeholder={t`Address, Message-ID, queue ID, IP, setting, screen`}
          value={text}
          spellCheck={false}
          data-autofocus
          onKeyDown={key}
          onChange={(event) => {
            setText(event.target.value);
            setAt(0);
          }}
          onPaste={(event) => {
            const pasted = event.clipboardData.getData("text");
            if (!pasted.includes("\n") && pasted.length < 120) return;
            event.preventDefault();
            setText(gist(pasted));
          }}
        />
        <kbd>Esc</kbd>
      </div>
      <div id={`${id}list`} role="listbox" aria-label={t`Found`} className={css.list} ref={list}>
        {entries.map((entry, index) => (
          // oxlint-disable-next-line jsx-a11y/click-events-have-key-events -- keys are handled in the input
          <div
            key={entry.id}
            id={`${id}${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === current}
            onMouseMove={() => setAt(index)}
            onClick={() => take(entry)}
          >
            <Icon name={entry.icon} />
            <b className="ellipsis">{entry.title}</b>
            <small className="ellipsis">{entry.note}</small>
          </div>
        ))}
      </div>
      {!entries.length && (
        <p className={css.none} role="status">
          {searching ? (
            <Trans>Searching</Trans>
          ) : (
            <Trans>Nothing is called “{text}”. Screens, settings, users and domains were searched.</Trans>
          )}
        </p>
      )}
    </>
  );
}
