import { useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { number } from "@/parts/base/Moment.tsx";
import { State } from "@/parts/base/State.tsx";
import type { Column } from "@/parts/list/columns.ts";
import type { GroupRow } from "./group.ts";

export function useGroupColumns(): readonly Column<GroupRow>[] {
  const { t } = useLingui();
  return useMemo(
    () => [
      {
        id: "group",
        title: t`Address`,
        width: "minmax(160px, 2fr)",
        phone: "name",
        sort: "group",
        cell: (row) => row.group,
        text: (row) => row.group,
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
        id: "count",
        title: t`Members`,
        width: "72px",
        align: "end",
        phone: "figure",
        cell: (row) => number(row.members.length),
        text: (row) => row.members.length,
      },
      {
        id: "members",
        title: t`Who`,
        width: "minmax(144px, 3fr)",
        phone: "state",
        cell: (row) => <Who members={row.members} />,
        text: (row) => row.members.join(" "),
      },
    ],
    [t],
  );
}

/** The first few; of a list no more is seen. */
function Who({ members }: { members: readonly string[] }) {
  const { t } = useLingui();
  if (!members.length) return <State mood="warn">{t`Nobody: mail is refused`}</State>;
  const more = members.length - 3;
  return (
    <span className="muted">
      {members.slice(0, 3).join(", ")}
      {more > 0 && ` ${t`and ${number(more)} more`}`}
    </span>
  );
}
