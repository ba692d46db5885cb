/** What goes with a record, and who still names it, is said before it is removed; ten seconds remain to take it back. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { question } from "@/api/admin.ts";
import { Button } from "../base/Button.tsx";
import { Marked } from "../base/Marked.tsx";
import dialog from "../form/dialog.module.css";
import css from "./people.module.css";
import { remove } from "./removal.ts";

interface Props {
  noun: "domain" | "alias" | "group" | "template";
  name: string;
  opened: boolean;
  /** "Remove group". */
  verb: string;
  /** What is lost, beside what the server says. */
  children?: ReactNode;
  onClose: () => void;
  /** At once, and again when it is done or undone. */
  onRemoved: () => void;
}

export function RemoveRecord({ noun, name, opened, verb, children, onClose, onRemoved }: Props) {
  const { t } = useLingui();
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const asked = useQuery({
    queryKey: [noun, "remove", name],
    enabled: opened,
    queryFn: () => question(noun, "remove", { name }),
    retry: false,
    gcTime: 0,
  });
  // Refused before it was tried: it has users, it is the primary one.
  const refused = asked.error instanceof Error ? asked.error.message : "";
  const go = async () => {
    setBusy(true);
    setFault("");
    try {
      await remove(noun, name, { said: t`${name} will be removed`, undone: t`${name} stays` }, onRemoved);
      onClose();
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog opened={opened} onClose={onClose} title={t`Remove ${name}?`} size={520}>
      {asked.data && (
        <p>
          <Marked text={asked.data} />
        </p>
      )}
      {!refused && children && <p className={`muted ${css.lost}`}>{children}</p>}
      <p className="error" role="alert">
        <Marked text={fault || refused} />
      </p>
      <div className={dialog.buttons}>
        <Button onClick={onClose}>{refused ? <Trans>Close</Trans> : <Trans>Keep</Trans>}</Button>
        {!refused && (
          <Button kind="danger" icon="trash" busy={busy || asked.isPending} onClick={() => void go()}>
            {verb}
          </Button>
        )}
      </div>
    </Dialog>
  );
}
