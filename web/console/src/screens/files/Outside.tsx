/** A file was edited while the server has another one in use: what differs, and which of the two shall be. */
import { Trans, useLingui } from "@lingui/react/macro";
import { ApiError } from "@shared/errors.ts";
import { useState } from "react";
import { run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { waitForRestart } from "@/app/restarts.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { ConfirmWords } from "@/parts/form/ConfirmWords.tsx";
import { type Check, edited, remarksOf } from "./files.ts";
import css from "./Files.module.css";
import { Problems } from "./Problems.tsx";
import { WideDiff } from "./WideDiff.tsx";

interface Props {
  text: string;
  check: Check | undefined;
  onChanged: () => void;
}

export function Outside({ text, check, onChanged }: Props) {
  const { t } = useLingui();
  const may = mayChange(useStore(me), "server");
  const [shown, setShown] = useState(false);
  const [busy, setBusy] = useState("");
  const [fault, setFault] = useState("");
  const [asked, setAsked] = useState<{ words: string; text: string } | null>(null);
  const files = edited(text).join(", ");
  const faults = check?.problems.filter((problem) => problem.line > 0) ?? [];
  const broken = faults.length > 0;
  const look = may ? undefined : t`Your right is to look, not to change`;

  const act = async (verb: "reload" | "keep", confirm = "") => {
    setBusy(verb);
    setFault("");
    try {
      const call = verb === "reload" ? "reload" : "keep";
      const { result, warnings } = await run<{ text: string; restart?: readonly string[] }>(
        "config",
        call,
        {},
        { confirm },
      );
      waitForRestart(result.restart ?? []);
      toast(
        [
          verb === "reload" ? t`The edit is in use` : t`The edit was written over; it is among the versions`,
          ...warnings,
        ].join(". "),
      );
      setAsked(null);
      setShown(false);
      onChanged();
    } catch (error) {
      if (error instanceof ApiError && error.confirm) setAsked({ words: error.confirm, text: error.message });
      else setFault(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy("");
    }
  };
  const buttons = (
    <>
      <Button
        icon="check"
        busy={busy === "reload"}
        disabledBecause={look ?? (broken ? t`With its faults it cannot be used: mend the lines first` : undefined)}
        onClick={() => void act("reload")}
      >
        <Trans>Take the edit into use</Trans>
      </Button>
      <Button icon="undo" busy={busy === "keep"} disabledBecause={look} onClick={() => void act("keep")}>
        <Trans>Keep what is in use</Trans>
      </Button>
    </>
  );
  return (
    <section className={css.outside} aria-label={t`Edited outside`}>
      <p className={broken ? "error" : "warn"}>
        <Icon name={broken ? "error" : "warn"} />
        <b>
          {files
            ? t`${files}: edited outside. The server goes on with what it has.`
            : t`Changes of users wait for an edit made outside.`}
        </b>
      </p>
      {check && check.problems.length > 0 && <Problems problems={check.problems} />}
      <p className="muted">
        <Trans>Keeping writes over the edit, which stays among the former versions.</Trans>
      </p>
      <p className="error" role="alert">
        {fault}
      </p>
      <div className={css.buttons}>
        <Button icon="eye" onClick={() => setShown(true)}>
          <Trans>Show the difference</Trans>
        </Button>
        {buttons}
      </div>
      {shown && (
        <WideDiff
          title={t`Edited outside`}
          text={text}
          remarks={(right) => remarksOf(check?.problems ?? [], right)}
          onClose={() => setShown(false)}
          footer={buttons}
        />
      )}
      <ConfirmWords
        asked={asked}
        busy={busy !== ""}
        onClose={() => setAsked(null)}
        onConfirm={(words) => void act("reload", words)}
      />
    </section>
  );
}
