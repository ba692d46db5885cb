import { useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { number, octets } from "@/parts/base/Moment.tsx";
import { State } from "@/parts/base/State.tsx";
import type { Column } from "@/parts/list/columns.ts";
import type { DomainRow } from "./domain.ts";

export function useDomainColumns(): readonly Column<DomainRow>[] {
  const { t } = useLingui();
  return useMemo(() => {
    const count = (
      id: "user_count" | "group_count" | "alias_count",
      title: string,
      more: Partial<Column<DomainRow>> = {},
    ): Column<DomainRow> => ({
      id,
      title,
      width: "72px",
      align: "end",
      sort: id,
      cell: (row) => (row[id] ? number(row[id]) : <span className="muted">0</span>),
      text: (row) => row[id],
      ...more,
    });
    return [
      {
        id: "name",
        title: t`Domain`,
        width: "minmax(160px, 2fr)",
        phone: "name",
        sort: "name",
        cell: (row) => row.name,
        text: (row) => row.name,
      },
      {
        id: "description",
        title: t`Description`,
        width: "minmax(120px, 2fr)",
        room: "low",
        sort: "description",
        cell: (row) => <span className="muted">{row.description}</span>,
        text: (row) => row.description ?? "",
      },
      count("user_count", t`Users`, { phone: "figure" }),
      count("group_count", t`Groups`, { room: "medium" }),
      count("alias_count", t`Aliases`, { room: "medium" }),
      {
        id: "storage",
        title: t`Storage`,
        width: "96px",
        align: "end",
        room: "medium",
        cell: (row) =>
          row.storage === null ? (
            <span className="muted" title={t`Many mailboxes: the domain itself shows it`}>
              …
            </span>
          ) : (
            octets(row.storage)
          ),
        text: (row) => row.storage,
      },
      {
        id: "messages",
        title: t`Messages`,
        width: "88px",
        align: "end",
        room: "low",
        extra: true,
        cell: (row) => (row.messages === null ? <span className="muted">…</span> : number(row.messages)),
        text: (row) => row.messages,
      },
      {
        id: "names",
        title: t`Also called`,
        width: "minmax(96px, 1fr)",
        room: "low",
        extra: true,
        cell: (row) => <span className="muted">{row.aliases.join(", ")}</span>,
        text: (row) => row.aliases.join(" "),
      },
      {
        id: "state",
        title: t`State`,
        width: "minmax(136px, 1fr)",
        phone: "state",
        sort: "primary",
        cell: (row) =>
          row.primary ? (
            <State mood="ok" icon="key">{t`Primary`}</State>
          ) : row.catch_all ? (
            <State mood="info" icon="globe">{t`Catch-all`}</State>
          ) : row.user_count ? (
            <State mood="ok">{t`Receives mail`}</State>
          ) : (
            <State mood="muted" icon="box">{t`No users`}</State>
          ),
        text: (row) => (row.primary ? t`Primary` : ""),
      },
    ];
  }, [t]);
}
