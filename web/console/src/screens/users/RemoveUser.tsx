/** What becomes of the mail is said before a user is removed; it can be brought back until it is purged. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { question, run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Marked } from "@/parts/base/Marked.tsx";
import dialog from "@/parts/form/dialog.module.css";

interface Props {
  address: string;
  opened: boolean;
  onClose: () => void;
  onRemoved: () => void;
}

export function RemoveUser({ address, opened, onClose, onRemoved }: Props) {
  const { t } = useLingui();
  const [fault, setFault] = useState("");
  const [everywhere, setEverywhere] = useState(true);
  const [busy, setBusy] = useState(false);
  const asked = useQuery({
    queryKey: ["user", "remove", address, everywhere],
    enabled: opened,
    queryFn: () => question("user", "remove", { name: address, everywhere }),
    retry: false,
  });
  const remove = async () => {
    setBusy(true);
    setFault("");
    try {
      await run("user", "remove", { name: address, everywhere });
      toast(t`${address} is removed; the mail is kept`, "undo", async () => {
        await run("user", "removed-restore", { removed: address });
        toast(t`${address} is back`, "undone");
      });
      onClose();
      onRemoved();
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog opened={opened} onClose={onClose} title={t`Remove ${address}?`} size={520}>
      <p>
        <Marked text={asked.data || t`The mail is kept on disk, out of reach, until an administrator deletes it.`} />
      </p>
      <label className="check">
        <input type="checkbox" checked={everywhere} onChange={(event) => setEverywhere(event.target.checked)} />
        <Trans>Take the address out of groups, aliases and forwardings too</Trans>
      </label>
      <p className="error" role="alert">
        {fault}
      </p>
      <div className={dialog.buttons}>
        <Button onClick={onClose}>
          <Trans>Keep</Trans>
        </Button>
        <Button kind="danger" icon="trash" busy={busy} onClick={() => void remove()}>
          <Trans>Remove user</Trans>
        </Button>
      </div>
    </Dialog>
  );
}
