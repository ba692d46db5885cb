import { useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { number } from "@/parts/base/Moment.tsx";
import { State } from "@/parts/base/State.tsx";
import type { Column } from "@/parts/list/columns.ts";
import { type AliasRow, kindOf } from "./alias.ts";

export function useAliasColumns(): readonly Column<AliasRow>[] {
  const { t } = useLingui();
  return useMemo(
    () => [
      {
        id: "alias",
        title: t`Alias`,
        width: "minmax(160px, 2fr)",
        phone: "name",
        sort: "alias",
        cell: (row) => row.alias,
        text: (row) => row.alias,
      },
      {
        id: "to",
        title: t`Leads to`,
        width: "minmax(160px, 3fr)",
        phone: "state",
        sort: "to",
        cell: (row) => <To to={row.to} />,
        text: (row) => row.to.join(" "),
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
      {
        id: "kind",
        title: t`Takes`,
        width: "136px",
        room: "medium",
        cell: (row) => <Takes alias={row.alias} />,
        text: (row) => kindOf(row.alias),
      },
    ],
    [t],
  );
}

function To({ to }: { to: readonly string[] }) {
  const { t } = useLingui();
  const more = to.length - 2;
  return (
    <>
      {to.slice(0, 2).join(", ")}
      {more > 0 && <span className="muted"> {t`and ${number(more)} more`}</span>}
    </>
  );
}

function Takes({ alias }: { alias: string }) {
  const { t } = useLingui();
  const kind = kindOf(alias);
  if (kind === "everything") return <State mood="warn" icon="globe">{t`Every name`}</State>;
  if (kind === "pattern") return <State mood="info" icon="filter">{t`A pattern`}</State>;
  return <span className="muted">{t`One name`}</span>;
}
