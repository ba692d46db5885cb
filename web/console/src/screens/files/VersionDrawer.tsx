/** A former version of a file: what bringing it back would change, and bringing it back. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { ApiError } from "@shared/errors.ts";
import { useState } from "react";
import { read, run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Button } from "@/parts/base/Button.tsx";
import { exactTime } from "@/parts/base/Moment.tsx";
import { Failure, Notice } from "@/parts/base/Notice.tsx";
import { Diff } from "@/parts/diff/Diff.tsx";
import { Drawer } from "@/parts/drawer/Drawer.tsx";
import { ConfirmWords } from "@/parts/form/ConfirmWords.tsx";
import { FormSkeleton } from "@/parts/form/FormSkeleton.tsx";
import { idOf, type Version, versionOf } from "./files.ts";
import { WideDiff } from "./WideDiff.tsx";

interface Props {
  id: string;
  all: readonly Version[];
  onClose: () => void;
  onRestored: () => void;
}

export function VersionDrawer({ id, all, onClose, onRestored }: Props) {
  const { t } = useLingui();
  const may = mayChange(useStore(me), "server");
  const named = versionOf(id);
  const version = all.find((each) => idOf(each) === id);
  const [wide, setWide] = useState(false);
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState("");
  const [asked, setAsked] = useState<{ words: string; text: string } | null>(null);
  const { data, error, refetch } = useQuery({
    queryKey: ["config", "diff", id],
    enabled: named !== null,
    queryFn: ({ signal }) =>
      read<{ text: string }>("config", "diff", { file: named?.file, version: named?.number }, signal),
    retry: false,
  });
  const restore = async (confirm = "") => {
    if (!named) return;
    setBusy(true);
    setFault("");
    try {
      const { warnings } = await run("config", "undo", { file: named.file, version: named.number }, { confirm });
      toast([t`${named.file} is as in version ${named.number}`, ...warnings].join(". "), "undo", async () => {
        // What stood before it is the latest version now.
        await run("config", "undo", { file: named.file });
        toast(t`${named.file} is as it was before`, "undone");
        onRestored();
      });
      setAsked(null);
      setWide(false);
      onRestored();
    } catch (failed) {
      if (failed instanceof ApiError && failed.confirm) setAsked({ words: failed.confirm, text: failed.message });
      else setFault(failed instanceof Error ? failed.message : String(failed));
    } finally {
      setBusy(false);
    }
  };
  const title = named ? t`${named.file}, version ${named.number}` : id;
  const same = data !== undefined && data.text.trim() === "";
  const back = (
    <Button
      icon="undo"
      busy={busy}
      disabledBecause={
        may ? (same ? t`The file in use is the same` : undefined) : t`Your right is to look, not to change`
      }
      onClick={() => void restore()}
    >
      <Trans>Bring this version back</Trans>
    </Button>
  );
  return (
    <Drawer
      title={title}
      label={title}
      subtitle={version && t`In use until ${exactTime(new Date(version.replaced))}`}
      onClose={onClose}
      footer={
        data && (
          <>
            {back}
            <Button icon="columns" className="end" onClick={() => setWide(true)}>
              <Trans>Side by side</Trans>
            </Button>
          </>
        )
      }
    >
      <p className="error" role="alert">
        {fault}
      </p>
      {!named || (error instanceof ApiError && error.status === 404) ? (
        <Notice icon="history" title={<Trans>There is no such version any more.</Trans>} />
      ) : error ? (
        <Failure what={t`The difference could not be read.`} error={error} retry={() => void refetch()} />
      ) : !data ? (
        <FormSkeleton />
      ) : same ? (
        <Notice icon="ok" title={<Trans>The file in use is the same.</Trans>} />
      ) : (
        <Diff text={data.text} />
      )}
      {data && wide && <WideDiff title={title} text={data.text} footer={back} onClose={() => setWide(false)} />}
      <ConfirmWords
        asked={asked}
        busy={busy}
        onClose={() => setAsked(null)}
        onConfirm={(words) => void restore(words)}
      />
    </Drawer>
  );
}
