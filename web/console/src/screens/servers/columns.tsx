import { useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { Moment, number } from "@/parts/base/Moment.tsx";
import { State } from "@/parts/base/State.tsx";
import type { IconName } from "@/parts/base/icons.ts";
import type { Column } from "@/parts/list/columns.ts";
import { moodOf, reached, type ServerRow } from "./server.ts";

export function useServerColumns(): readonly Column<ServerRow>[] {
  const { t } = useLingui();
  return useMemo(
    () => [
      {
        id: "name",
        title: t`Server`,
        width: "minmax(120px, 1fr)",
        phone: "name",
        sort: "name",
        cell: (row) => <b>{row.name}</b>,
        text: (row) => row.name,
      },
      {
        id: "state",
        title: t`State`,
        width: "144px",
        phone: "state",
        sort: "state",
        cell: (row) => <ServerState state={row.state} />,
        text: (row) => row.state,
      },
      {
        id: "text",
        title: t`Why`,
        width: "minmax(160px, 3fr)",
        room: "medium",
        cell: (row) => (
          <span className="muted" title={row.text}>
            {row.text}
          </span>
        ),
        text: (row) => row.text,
      },
      {
        id: "red",
        title: t`Checks that fail`,
        width: "112px",
        align: "end",
        room: "low",
        cell: (row) =>
          reached(row) ? (
            row.red ? (
              <span className="error">{number(row.red)}</span>
            ) : (
              <span className="muted">0</span>
            )
          ) : (
            <span className="muted">–</span>
          ),
        text: (row) => row.red,
      },
      {
        id: "waiting",
        title: t`Queue`,
        width: "72px",
        align: "end",
        phone: "figure",
        sort: "waiting",
        cell: (row) => <span className="muted">{reached(row) ? number(row.waiting) : "–"}</span>,
        text: (row) => row.waiting,
      },
      {
        id: "version",
        title: t`Version`,
        width: "104px",
        room: "low",
        sort: "version",
        cell: (row) => <span className="muted">{row.version || "–"}</span>,
        text: (row) => row.version,
      },
      {
        id: "since",
        title: t`Since`,
        width: "80px",
        room: "low",
        sort: "since",
        cell: (row) => <Moment at={row.since} never="–" />,
        text: (row) => row.since,
      },
    ],
    [t],
  );
}

export function ServerState({ state }: { state: string }) {
  const { t } = useLingui();
  const words: Record<string, [string, IconName]> = {
    ok: [t`In order`, "ok"],
    warning: [t`Warns`, "warn"],
    failing: [t`Fails`, "error"],
    unreachable: [t`Not reached`, "plug"],
    untrusted: [t`Not trusted`, "shield"],
    refused: [t`Refuses us`, "ban"],
    unknown: [t`Not asked yet`, "help"],
  };
  const [text, icon] = words[state] ?? [state, "help"];
  return (
    <State mood={moodOf(state)} icon={icon}>
      {text}
    </State>
  );
}
