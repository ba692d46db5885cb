import { useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { Moment } from "@/parts/base/Moment.tsx";
import { State } from "@/parts/base/State.tsx";
import type { Column } from "@/parts/list/columns.ts";
import type { AlertRow } from "./alert.ts";

export function useAlertColumns(): readonly Column<AlertRow>[] {
  const { t } = useLingui();
  return useMemo(
    () => [
      {
        id: "event",
        title: t`Event`,
        width: "minmax(220px, 3fr)",
        phone: "name",
        cell: (row) => <b>{row.title}</b>,
        text: (row) => row.event,
      },
      {
        id: "state",
        title: t`State`,
        width: "112px",
        phone: "state",
        sort: "state",
        cell: (row) => <AlertState row={row} />,
        text: (row) => row.state,
      },
      {
        id: "to",
        title: t`Who is told`,
        width: "minmax(140px, 3fr)",
        room: "medium",
        cell: (row) =>
          row.to.length ? (
            <span title={row.to.join("\n")}>{row.to.join(", ")}</span>
          ) : (
            <State mood="warn" icon="bell">
              {t`nobody`}
            </State>
          ),
        text: (row) => row.to.join(" "),
      },
      {
        id: "sent",
        title: t`Last sent`,
        width: "88px",
        phone: "figure",
        sort: "sent",
        cell: (row) => <Moment at={row.sent} />,
        text: (row) => row.sent,
      },
      {
        id: "error",
        title: t`Last error`,
        width: "minmax(136px, 2fr)",
        room: "low",
        cell: (row) =>
          row.error ? (
            <State mood="error">
              <span title={row.error}>{row.error}</span>
            </State>
          ) : (
            <span className="muted">{t`none`}</span>
          ),
        text: (row) => row.error,
      },
    ],
    [t],
  );
}

export function AlertState({ row }: { row: AlertRow }) {
  const { t } = useLingui();
  if (row.state === "going on") return <State mood="warn">{t`Active`}</State>;
  if (row.state === "off")
    return (
      <State mood="muted" icon="bell">
        {t`Off`}
      </State>
    );
  return <State mood="ok">{t`Quiet`}</State>;
}
