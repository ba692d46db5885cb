import { useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { octets } from "@/parts/base/Moment.tsx";
import { State } from "@/parts/base/State.tsx";
import type { Column } from "@/parts/list/columns.ts";
import { domainOf, type TemplateRow } from "./template.ts";

export function useTemplateColumns(): readonly Column<TemplateRow>[] {
  const { t } = useLingui();
  return useMemo(() => {
    const offered = ({ template, offered_to = [] }: TemplateRow) =>
      offered_to.includes("*") ? t`all domains` : [domainOf(template), ...offered_to].join(", ");
    return [
      {
        id: "template",
        title: t`Template`,
        width: "minmax(160px, 2fr)",
        phone: "name",
        sort: "template",
        cell: (row) => row.template,
        text: (row) => row.template,
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
        id: "quota",
        title: t`Quota`,
        width: "88px",
        align: "end",
        phone: "figure",
        sort: "quota",
        cell: (row) => (row.quota ? octets(Number(row.quota)) : <span className="muted">–</span>),
        text: (row) => Number(row.quota ?? 0),
      },
      {
        id: "rights",
        title: t`Rights`,
        width: "112px",
        phone: "state",
        sort: "rights",
        cell: (row) =>
          row.rights && row.rights !== "none" ? (
            <State mood="warn" icon="key">
              {row.rights}
            </State>
          ) : null,
        text: (row) => row.rights ?? "",
      },
      {
        id: "offered",
        title: t`For users of`,
        width: "minmax(120px, 2fr)",
        room: "low",
        cell: (row) => <span className="muted">{offered(row)}</span>,
        text: offered,
      },
    ];
  }, [t]);
}
