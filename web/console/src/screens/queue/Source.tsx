/** A message as it will be sent; at most so much of it. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useState } from "react";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { stream } from "@/api/admin.ts";
import { Failure } from "@/parts/base/Notice.tsx";
import css from "./MessageDrawer.module.css";

const MOST_LINES = 2000;

export function Source({ id, onClose }: { id: string; onClose: () => void }) {
  const { t } = useLingui();
  const [lines, setLines] = useState<readonly string[]>([]);
  const [cut, setCut] = useState(false);
  const [failed, setFailed] = useState<unknown>(null);
  useEffect(() => {
    const stop = new AbortController();
    const readAll = async () => {
      const got: string[] = [];
      for await (const item of stream<unknown>("queue", "source", { id }, stop.signal)) {
        got.push(
          typeof item === "string"
            ? item
            : String((item as { text?: string; line?: string }).text ?? (item as { line?: string }).line ?? ""),
        );
        if (got.length >= MOST_LINES) {
          setCut(true);
          break;
        }
      }
      setLines(got);
    };
    readAll().catch((error: unknown) => stop.signal.aborted || setFailed(error));
    return () => stop.abort();
  }, [id]);
  return (
    <Dialog opened onClose={onClose} title={t`Source of ${id}`} size={900}>
      {failed ? (
        <Failure what={t`The source could not be read.`} error={failed} />
      ) : (
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
        <pre className={css.source} tabIndex={0}>
          {lines.join("\n")}
        </pre>
      )}
      {cut && (
        <p className="muted">
          <Trans>Only the first {MOST_LINES} lines are shown.</Trans>
        </p>
      )}
    </Dialog>
  );
}
