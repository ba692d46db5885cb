/** What cannot be undone, or opens a door: it names the thing, and has it typed. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useId, useState } from "react";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { Button } from "../base/Button.tsx";
import css from "./inputs/inputs.module.css";
import dialog from "./dialog.module.css";

interface Props {
  asked: { readonly words: string; readonly text: string } | null;
  busy: boolean;
  onClose: () => void;
  onConfirm: (words: string) => void;
}

export function ConfirmWords({ asked, busy, onClose, onConfirm }: Props) {
  const { t } = useLingui();
  const [typed, setTyped] = useState("");
  const id = useId();
  useEffect(() => setTyped(""), [asked]);
  const right = typed.trim() === asked?.words;
  return (
    <Dialog opened={!!asked} onClose={onClose} title={t`Are you sure?`} size={520}>
      <p>{asked?.text}</p>
      <form
        className={dialog.form}
        onSubmit={(event) => {
          event.preventDefault();
          if (right) onConfirm(typed.trim());
        }}
      >
        <label htmlFor={id}>
          <Trans>
            To go on, type <code>{asked?.words}</code>
          </Trans>
        </label>
        <input
          id={id}
          className={css.text}
          value={typed}
          autoComplete="off"
          spellCheck={false}
          data-autofocus
          onChange={(event) => setTyped(event.target.value)}
        />
        <div className={dialog.buttons}>
          <Button onClick={onClose}>
            <Trans>Leave as it is</Trans>
          </Button>
          <Button type="submit" kind="danger" busy={busy} disabledBecause={right ? undefined : t`Type the words first`}>
            <Trans>Go on</Trans>
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
