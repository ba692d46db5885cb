import { Plural, useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { Moment } from "@/parts/base/Moment.tsx";
import type { Column } from "@/parts/list/columns.ts";
import css from "./Changes.module.css";
import { type Change, isLocal, nameOf } from "./change.ts";

export function useChangeColumns(): readonly Column<Change>[] {
  const { t } = useLingui();
  return useMemo(
    () => [
      {
        id: "what",
        title: t`What`,
        width: "minmax(200px, 2fr)",
        phone: "name",
        cell: (row) => <What row={row} />,
        text: (row) => nameOf(row),
      },
      {
        id: "change",
        title: t`Old and new value`,
        width: "minmax(160px, 2fr)",
        phone: "state",
        cell: (row) => <Values row={row} />,
        text: (row) => `${row.old} → ${row.new}`,
      },
      {
        id: "who",
        title: t`Who`,
        width: "minmax(140px, 1fr)",
        room: "medium",
        cell: (row) => <Who user={row.user} />,
        text: (row) => row.user,
      },
      {
        id: "origin",
        title: t`From where`,
        width: "minmax(112px, 1fr)",
        room: "low",
        cell: (row) => <span className="muted">{row.origin}</span>,
        text: (row) => row.origin,
      },
      {
        id: "at",
        title: t`When`,
        width: "96px",
        phone: "figure",
        cell: (row) => <Moment at={row.at} />,
        text: (row) => row.at,
      },
      {
        id: "id",
        title: t`ID`,
        width: "176px",
        room: "low",
        extra: true,
        cell: (row) => <span className="mono">{row.id}</span>,
        text: (row) => row.id,
      },
    ],
    [t],
  );
}

function What({ row }: { row: Change }) {
  const { more } = row;
  return (
    <>
      {row.subject}
      {row.field && <span className="muted"> {row.field}</span>}
      {more > 0 && (
        <span className={css.more}>
          <Plural value={more} one="and # more" other="and # more" />
        </span>
      )}
    </>
  );
}

/** Old and new value in one line, or what became of the whole. */
export function Values({ row }: { row: Pick<Change, "action" | "old" | "new" | "kind"> }) {
  const { t } = useLingui();
  if (row.action === "added") return <span className="ok">{t`added`}</span>;
  if (row.action === "removed") return <span className="error">{t`removed`}</span>;
  if (row.action === "moved") return <span className="muted">{t`other order`}</span>;
  if (row.kind === "records") return <span className="muted">{t`not named one by one`}</span>;
  return (
    <>
      <del className={css.old}>{row.old || t`not set`}</del>
      <span className="muted"> → </span>
      <ins className={css.new}>{row.new || t`not set`}</ins>
    </>
  );
}

export function Who({ user }: { user: string }) {
  const { t } = useLingui();
  if (!isLocal(user)) return user;
  return (
    <span className="muted" title={t`Somebody on the machine of the server itself: ${user}`}>
      {t`Command line`}
    </span>
  );
}
