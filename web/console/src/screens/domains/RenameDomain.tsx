/** A domain is renamed with the server stopped, since its mail moves to another folder: here stands how. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useId, useState } from "react";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { toast } from "@/api/operations.ts";
import { Button } from "@/parts/base/Button.tsx";
import dialog from "@/parts/form/dialog.module.css";

/** As a word of a shell: a domain has nothing in it that would need more. */
const word = (text: string) => (/^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

export function RenameDomain({ name, opened, onClose }: { name: string; opened: boolean; onClose: () => void }) {
  const { t } = useLingui();
  const id = useId();
  const [text, setText] = useState("");
  const command = `whimbrel --offline domain rename ${word(name)} ${word(text.trim() || "new.example.org")}`;
  const copy = async () => {
    await navigator.clipboard.writeText(command).catch(() => undefined);
    toast(t`Copied: ${command}`);
  };
  return (
    <Dialog opened={opened} onClose={onClose} title={t`Rename ${name}`} size={560}>
      <p>
        <Trans>
          All mail of its users moves to another folder, so this is done while the server is stopped. The former name
          stays an alias: mail to it still arrives.
        </Trans>
      </p>
      <div className={dialog.form}>
        <label htmlFor={id}>
          <Trans>New name</Trans>
        </label>
        <input
          id={id}
          className="field"
          value={text}
          placeholder="new.example.org"
          spellCheck={false}
          autoCapitalize="none"
          data-autofocus
          onChange={(event) => setText(event.target.value)}
        />
        <p className="muted">
          <Trans>Stop the server, run this on its machine, start it again:</Trans>
        </p>
        <p>
          <code>{command}</code>
        </p>
      </div>
      <div className={dialog.buttons}>
        <Button onClick={onClose}>
          <Trans>Close</Trans>
        </Button>
        <Button kind="primary" icon="copy" onClick={() => void copy()}>
          <Trans>Copy the command</Trans>
        </Button>
      </div>
    </Dialog>
  );
}
