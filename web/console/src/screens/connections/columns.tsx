import { useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { Moment, octets, span } from "@/parts/base/Moment.tsx";
import { State } from "@/parts/base/State.tsx";
import type { Column } from "@/parts/list/columns.ts";
import type { ConnectionRow } from "./connection.ts";

export function useConnectionColumns(): readonly Column<ConnectionRow>[] {
  const { t } = useLingui();
  return useMemo(
    () => [
      {
        id: "user",
        title: t`User`,
        width: "minmax(140px, 2fr)",
        phone: "name",
        sort: "user",
        cell: (row) => row.user || <span className="muted">{t`not signed in`}</span>,
        text: (row) => row.user,
      },
      {
        id: "service",
        title: t`Service`,
        width: "104px",
        phone: "figure",
        sort: "service",
        cell: (row) => row.service,
        text: (row) => row.service,
      },
      {
        id: "address",
        title: t`Address`,
        width: "minmax(112px, 1fr)",
        room: "medium",
        sort: "address",
        cell: (row) => <span className="mono">{row.address}</span>,
        text: (row) => row.address,
      },
      {
        id: "command",
        title: t`Command`,
        width: "112px",
        room: "medium",
        cell: (row) =>
          row.command ? <span className="mono">{row.command}</span> : <span className="muted">{t`waits`}</span>,
        text: (row) => row.command,
      },
      {
        id: "tls",
        title: t`TLS`,
        width: "104px",
        phone: "state",
        cell: (row) => <Secured row={row} />,
        text: (row) => row.tls,
      },
      {
        id: "idle",
        title: t`Idle`,
        width: "72px",
        align: "end",
        room: "low",
        sort: "idle",
        cell: (row) => <span className="muted">{span(row.idle)}</span>,
        text: (row) => row.idle,
      },
      {
        id: "received",
        title: t`In`,
        width: "72px",
        align: "end",
        room: "low",
        cell: (row) => <span className="muted">{octets(row.received)}</span>,
        text: (row) => row.received,
      },
      {
        id: "sent",
        title: t`Out`,
        width: "72px",
        align: "end",
        room: "low",
        sort: "octets",
        cell: (row) => <span className="muted">{octets(row.sent)}</span>,
        text: (row) => row.sent,
      },
      {
        id: "since",
        title: t`Since`,
        width: "80px",
        room: "low",
        sort: "since",
        cell: (row) => <Moment at={row.since} />,
        text: (row) => row.since,
      },
      {
        id: "cipher",
        title: t`Cipher`,
        width: "minmax(140px, 1fr)",
        room: "low",
        extra: true,
        cell: (row) => <span className="muted">{row.cipher}</span>,
        text: (row) => row.cipher,
      },
      {
        id: "id",
        title: t`Session`,
        width: "96px",
        room: "low",
        extra: true,
        cell: (row) => <span className="mono">{row.id}</span>,
        text: (row) => row.id,
      },
    ],
    [t],
  );
}

export function Secured({ row }: { row: ConnectionRow }) {
  const { t } = useLingui();
  if (!row.tls)
    return (
      <State mood="warn" icon="unlock">
        {t`none`}
      </State>
    );
  return (
    <State mood="muted" icon="lock">
      {row.tls.replace("v", " ")}
    </State>
  );
}
