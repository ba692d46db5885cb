/** What was done, and ten seconds to undo it. Errors that need somebody to act are no toasts. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useState } from "react";
import { dismiss, type Toast, toast, toasts } from "@/api/operations.ts";
import { useStore } from "@/api/store.ts";
import { Button, IconButton } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { LinkButton } from "@/parts/base/LinkButton.tsx";
import css from "./Toasts.module.css";

export function Toasts() {
  const shown = useStore(toasts);
  return (
    <div className={css.toasts} role="status" aria-live="polite">
      {shown.map((each) => (
        <One key={each.id} {...each} />
      ))}
    </div>
  );
}

function One({ id, text, kind, until, undo, link }: Toast) {
  const { t } = useLingui();
  const left = useSeconds(until);
  const take = async () => {
    dismiss(id);
    try {
      await undo?.();
    } catch (error) {
      toast(t`It could not be undone: ${error instanceof Error ? error.message : ""}`, "failed");
    }
  };
  return (
    <div className={css.toast}>
      <Icon name={kind === "failed" ? "error" : kind === "undone" ? "undo" : "check"} />
      <span>{text}</span>
      {undo && (
        <Button small kind="quiet" onClick={() => void take()}>
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
