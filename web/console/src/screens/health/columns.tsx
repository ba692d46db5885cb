import { useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { Moment } from "@/parts/base/Moment.tsx";
import { State } from "@/parts/base/State.tsx";
import type { Column } from "@/parts/list/columns.ts";
import { type Check, gradeOf, unheard } from "./check.ts";
import { GradeState } from "./Grade.tsx";

export function useCheckColumns(): readonly Column<Check>[] {
  const { t } = useLingui();
  return useMemo(
    () => [
      {
        id: "check",
        title: t`Check`,
        width: "minmax(176px, 1.5fr)",
        phone: "name",
        sort: "check",
        cell: (row) => <b>{row.title}</b>,
        text: (row) => row.check,
      },
      {
        id: "state",
        title: t`State`,
        width: "96px",
        phone: "state",
        sort: "state",
        cell: (row) => <GradeState grade={gradeOf(row.state)} />,
        text: (row) => row.state,
      },
      {
        id: "text",
        title: t`What is so`,
        width: "minmax(160px, 4fr)",
        room: "medium",
        cell: (row) => <span title={row.text}>{row.text}</span>,
        text: (row) => row.text,
      },
      {
        id: "since",
        title: t`Since`,
        width: "80px",
        phone: "figure",
        sort: "since",
        cell: (row) => <Moment at={row.since} />,
        text: (row) => row.since,
      },
      {
        id: "alerts",
        title: t`Alerts go to`,
        width: "minmax(112px, 1fr)",
        room: "low",
        cell: (row) =>
          unheard(row) ? (
            <State mood="warn" icon="bell">
              {t`nobody`}
            </State>
          ) : (
            <span className="muted" title={row.alerts}>
              {row.alerts}
            </span>
          ),
        text: (row) => row.alerts,
      },
    ],
    [t],
  );
}
