/** What will stand where, before a change is undone; and the way back from that. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { ApiError } from "@shared/errors.ts";
import { useState } from "react";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { waitForRestart } from "@/app/restarts.ts";
import { Button } from "@/parts/base/Button.tsx";
import { ConfirmWords } from "@/parts/form/ConfirmWords.tsx";
import dialog from "@/parts/form/dialog.module.css";
import { type ChangeView, nameOf } from "./change.ts";
import css from "./Changes.module.css";

const MOST = 20;

interface Props {
  change: ChangeView;
  version: string;
  onClose: () => void;
  onUndone: () => void;
  /** Somebody changed it meanwhile. */
  onStale: () => void;
}

export function UndoChange({ change, version, onClose, onUndone, onStale }: Props) {
  const { t } = useLingui();
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState("");
  const [outside, setOutside] = useState(false);
  const [asked, setAsked] = useState<{ words: string; text: string } | null>(null);
  const { values } = change;
  const undo = async (confirm = "") => {
    setBusy(true);
    setFault("");
    try {
      const body = { id: change.id };
      const done = await run<{ restart: readonly string[] }>("change", "undo", body, { confirm, ifMatch: version });
      waitForRestart(done.result.restart);
      const back = done.change;
      toast(
        [t`The former values are back`, ...done.warnings].join(". "),
        "undo",
        back
          ? async () => {
              await run("change", "undo", { id: back });
              toast(t`The change stands again`, "undone");
              onUndone();
            }
          : undefined,
      );
      onClose();
      onUndone();
    } catch (error) {
      if (error instanceof ApiError && error.confirm) setAsked({ words: error.confirm, text: error.message });
      else {
        setFault(error instanceof Error ? error.message : String(error));
        setOutside(error instanceof ApiError && error.status === 409);
        if (error instanceof ApiError && error.status === 412) onStale();
      }
    } finally {
      setBusy(false);
    }
  };
  if (asked)
    return (
      <ConfirmWords asked={asked} busy={busy} onClose={() => setAsked(null)} onConfirm={(words) => void undo(words)} />
    );
  const rest = values.length - MOST;
  return (
    <Dialog opened onClose={onClose} title={t`Undo this change?`} size={560}>
      <p>
        <Trans>These values are put back, all or none. That is a change of its own, which can be undone.</Trans>
      </p>
      <ul className={css.values}>
        {values.slice(0, MOST).map((value) => (
          <li key={`${nameOf(value)} ${value.action}`}>
            <p>{nameOf(value)}</p>
            <div className={css.pair}>
              <del>- {value.now || t`not set`}</del>
              <ins>+ {value.old || t`not set`}</ins>
            </div>
          </li>
        ))}
      </ul>
      {rest > 0 && (
        <p className="muted">
          <Plural value={rest} one="and # more" other="and # more" />
        </p>
      )}
      <p className="error" role="alert">
        {outside ? (
          <Trans>
            A file was edited outside: say first{" "}
            <Link to="/files" className="link">
              which of the two shall be in use
            </Link>
            .
          </Trans>
        ) : (
          fault
        )}
      </p>
      <div className={dialog.buttons}>
        <Button onClick={onClose}>
          <Trans>Leave as it is</Trans>
        </Button>
        <Button kind="primary" icon="undo" busy={busy} data-autofocus onClick={() => void undo()}>
          <Trans>Undo</Trans>
        </Button>
      </div>
    </Dialog>
  );
}
