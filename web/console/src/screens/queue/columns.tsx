import { useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { say } from "@/api/said.ts";
import { Moment, number, octets } from "@/parts/base/Moment.tsx";
import { State } from "@/parts/base/State.tsx";
import type { Column } from "@/parts/list/columns.ts";
import { isDue, type QueueRow } from "./message.ts";

export function useQueueColumns(): readonly Column<QueueRow>[] {
  const { t } = useLingui();
  return useMemo(
    () => [
      {
        id: "id",
        title: t`ID`,
        width: "136px",
        room: "low",
        cell: (row) => <span className="mono">{row.id}</span>,
        text: (row) => row.id,
      },
      {
        id: "to",
        title: t`To`,
        width: "minmax(120px, 2fr)",
        phone: "name",
        cell: (row) => <To recipients={row.recipients} />,
        text: (row) => row.recipients.join(" "),
      },
      {
        id: "from",
        title: t`From`,
        width: "minmax(120px, 1.5fr)",
        room: "low",
        sort: "sender",
        cell: (row) => <span className="muted">{row.sender || t`<> (DSN)`}</span>,
        text: (row) => row.sender,
      },
      {
        id: "next",
        title: t`Next try`,
        width: "112px",
        phone: "figure",
        sort: "next_attempt",
        cell: (row) =>
          row.held && !row.next_attempt ? t`Held` : isDue(row) ? t`ASAP` : <Moment at={row.next_attempt} />,
        text: (row) => row.next_attempt ?? "",
      },
      {
        id: "attempts",
        title: t`Tries`,
        width: "48px",
        align: "end",
        room: "low",
        sort: "attempts",
        cell: (row) => <span className="muted">{number(row.attempts)}</span>,
        text: (row) => row.attempts,
      },
      {
        id: "size",
        title: t`Size`,
        width: "64px",
        align: "end",
        room: "medium",
        sort: "size",
        cell: (row) => <span className="muted">{octets(row.size)}</span>,
        text: (row) => row.size,
      },
      {
        id: "created",
        title: t`Created`,
        width: "96px",
        room: "low",
        sort: "created",
        extra: true,
        cell: (row) => <Moment at={row.created} />,
        text: (row) => row.created,
      },
      {
        id: "message-id",
        title: t`Message-ID`,
        width: "minmax(120px, 1.5fr)",
        room: "low",
        extra: true,
        cell: (row) => <span className="mono">{row.message_id}</span>,
        text: (row) => row.message_id,
      },
      {
        id: "client",
        title: t`Sending host`,
        width: "128px",
        room: "low",
        extra: true,
        cell: (row) => <span className="muted">{row.client}</span>,
        text: (row) => row.client,
      },
      {
        id: "status",
        title: t`Status`,
        width: "minmax(144px, 2fr)",
        phone: "state",
        cell: (row) => <QueueState row={row} />,
        text: (row) => row.status,
      },
    ],
    [t],
  );
}

function To({ recipients }: { recipients: readonly string[] }) {
  const { t } = useLingui();
  const more = recipients.length - 1;
  return (
    <>
      {recipients[0] ?? ""}
      {more > 0 && <span className="muted"> {t`and ${number(more)} more`}</span>}
    </>
  );
}

export function QueueState({ row }: { row: Pick<QueueRow, "held" | "status" | "attempts"> }) {
  const { t } = useLingui();
  if (row.held) {
    const why = say(row.status.replace(/^held: /, ""));
    return (
      <State mood="muted" icon="pause">
        {why ? t`Held: ${why}` : t`Held`}
      </State>
    );
  }
  if (!row.status)
    return (
      <State mood="info" icon="mail">
        {row.attempts ? t`Waiting` : t`Not tried yet`}
      </State>
    );
  return (
    <State
      mood={/^5|no such domain/i.test(row.status) ? "error" : "warn"}
      icon={row.status.startsWith("5") ? "error" : "clock"}
    >
      {row.status}
    </State>
  );
}
