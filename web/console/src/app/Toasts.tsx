/** What was done, and ten seconds to undo it, too few to get there by Tab: Ctrl Z undoes the latest from everywhere but a
 * field, which has an undo of its own (WCAG 2.2.1). Errors that need somebody to act are no toasts. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useCallback, useEffect, useState } from "react";
import { dismiss, type Toast, toast, toasts } from "@/api/operations.ts";
import { useStore } from "@/api/store.ts";
import { Button, IconButton } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { LinkButton } from "@/parts/base/LinkButton.tsx";
import css from "./Toasts.module.css";

export function Toasts() {
  const shown = useStore(toasts);
  const take = useTake();
  const last = shown.findLast((each) => each.undo);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!last || event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.altKey || inField(event.target))
        return;
      event.preventDefault();
      void take(last);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [last, take]);
  return (
    <div className={css.toasts} role="status" aria-live="polite">
      {shown.map((each) => (
        <One key={each.id} {...each} />
      ))}
    </div>
  );
}

function inField(target: EventTarget | null): boolean {
  const fields = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
  return target instanceof HTMLElement && target.closest(fields) !== null;
}

/** Undoes what a toast says, and says so if that fails. */
function useTake(): (of: Toast) => Promise<void> {
  const { t } = useLingui();
  return useCallback(
    async ({ id, undo }: Toast) => {
      dismiss(id);
      try {
        await undo?.();
      } catch (error) {
        toast(t`It could not be undone: ${error instanceof Error ? error.message : ""}`, "failed");
      }
    },
    [t],
  );
}

function One(shown: Toast) {
  const { id, text, kind, until, undo, link } = shown;
  const { t } = useLingui();
  const left = useSeconds(until);
  const take = useTake();
  return (
    <div className={css.toast}>
      <Icon name={kind === "failed" ? "error" : kind === "undone" ? "undo" : "check"} />
      <span>{text}</span>
      {undo && (
        <Button small kind="quiet" title={t`Ctrl Z`} aria-keyshortcuts="Control+Z" onClick={() => void take(shown)}>
          <Trans>Undo ({left})</Trans>
        </Button>
      )}
      {link && (
        <LinkButton small kind="quiet" to={link.to} search={link.search}>
          {link.text}
        </LinkButton>
      )}
      <IconButton icon="close" label={t`Close`} onClick={() => dismiss(id)} />
    </div>
  );
}

function useSeconds(until: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  return Math.max(0, Math.ceil((until - now) / 1000));
}
