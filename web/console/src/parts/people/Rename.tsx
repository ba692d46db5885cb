/** Another name for a group or an alias; who names it names it by the new one. */
import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, type ReactNode, useEffect, useId, useState } from "react";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { Button } from "../base/Button.tsx";
import dialog from "../form/dialog.module.css";

interface Props {
  noun: "group" | "alias" | "user";
  name: string;
  opened: boolean;
  /** The former address can go on working. */
  keeps?: boolean;
  children: ReactNode;
  onClose: () => void;
  onRenamed: (name: string) => void;
}

export function Rename({ noun, name, opened, keeps = false, children, onClose, onRenamed }: Props) {
  const { t } = useLingui();
  const id = useId();
  const [text, setText] = useState(name);
  const [keep, setKeep] = useState(true);
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    if (opened) setText(name);
    setFault("");
  }, [opened, name]);
  const same = !text.trim() || text.trim() === name;
  const go = async (event: FormEvent) => {
    event.preventDefault();
    if (same) return;
    setBusy(true);
    setFault("");
    const domain = name.slice(name.lastIndexOf("@"));
    const to = text.trim().includes("@") ? text.trim() : `${text.trim()}${domain}`;
    try {
      const { result, warnings } = await run<{ text: string }>(noun, "rename", {
        name,
        new: to,
        ...(keeps ? { keep_alias: keep } : {}),
      });
      toast([result.text, ...warnings].join(" "));
      onClose();
      onRenamed(to);
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog opened={opened} onClose={onClose} title={t`Rename ${name}`} size={520}>
      <p>{children}</p>
      <form className={dialog.form} onSubmit={(event) => void go(event)}>
        <label htmlFor={id}>
          <Trans>New name</Trans>
        </label>
        <input
          id={id}
          className="field"
          value={text}
          spellCheck={false}
          autoCapitalize="none"
          data-autofocus
          aria-invalid={!!fault}
          aria-describedby={`${id}fault`}
          onChange={(event) => setText(event.target.value)}
        />
        {keeps && (
          <label className="check">
            <input type="checkbox" checked={keep} onChange={(event) => setKeep(event.target.checked)} />
            <Trans>Mail to the former address still arrives</Trans>
          </label>
        )}
        <p id={`${id}fault`} className="error" role="alert">
          {fault}
        </p>
        <div className={dialog.buttons}>
          <Button onClick={onClose}>
            <Trans>Cancel</Trans>
          </Button>
          <Button
            type="submit"
            kind="primary"
            busy={busy}
            disabledBecause={same ? t`Type another name first` : undefined}
          >
            <Trans>Rename</Trans>
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
