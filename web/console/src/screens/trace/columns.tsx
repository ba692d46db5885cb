import { useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { Moment, octets } from "@/parts/base/Moment.tsx";
import { State } from "@/parts/base/State.tsx";
import type { Column } from "@/parts/list/columns.ts";
import type { TraceRow } from "./story.ts";
import { useVerdict } from "./useVerdict.ts";

/** `unlogged`: why no message has a subject; empty where they have. */
export function useTraceColumns(unlogged: string): readonly Column<TraceRow>[] {
  const { t } = useLingui();
  const verdict = useVerdict();
  return useMemo(
    () => [
      {
        id: "time",
        title: t`Time`,
        width: "72px",
        phone: "figure",
        cell: (row) => <Moment at={row.message.at} />,
        text: (row) => row.message.at,
      },
      {
        id: "verdict",
        title: t`Verdict`,
        width: "minmax(200px, 5fr)",
        phone: "state",
        cell: (row) => {
          const { mood, icon, text } = verdict(row, row.message);
          return (
            <span title={row.status || text}>
              <State mood={mood} icon={icon}>
                {text}
              </State>
            </span>
          );
        },
        text: (row) => verdict(row, row.message).text,
      },
      {
        id: "recipient",
        title: t`Recipient`,
        width: "minmax(120px, 3fr)",
        phone: "name",
        cell: (row) => row.address,
        text: (row) => row.address,
      },
      {
        id: "sender",
        title: t`From`,
        width: "minmax(120px, 3fr)",
        room: "medium",
        cell: (row) => <span className="muted">{row.message.sender || t`<> (DSN)`}</span>,
        text: (row) => row.message.sender,
      },
      {
        id: "subject",
        title: t`Subject`,
        width: "minmax(120px, 3fr)",
        room: "low",
        cell: (row) =>
          row.message.subject || (
            <span className="muted" title={unlogged}>
              {unlogged ? t`not logged` : ""}
            </span>
          ),
        text: (row) => row.message.subject,
      },
      {
        id: "size",
        title: t`Size`,
        width: "64px",
        align: "end",
        room: "low",
        cell: (row) => <span className="muted">{row.message.size ? octets(row.message.size) : ""}</span>,
        text: (row) => row.message.size || null,
      },
      {
        id: "id",
        title: t`Queue ID`,
        width: "144px",
        room: "low",
        extra: true,
        cell: (row) => <span className="mono">{row.message.id}</span>,
        text: (row) => row.message.id,
      },
      {
        id: "host",
        title: t`Sending host`,
        width: "128px",
        room: "low",
        extra: true,
        cell: (row) => <span className="muted">{row.message.host}</span>,
        text: (row) => row.message.host,
      },
    ],
    [t, verdict, unlogged],
  );
}
