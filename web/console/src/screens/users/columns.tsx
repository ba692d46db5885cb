import { useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { Moment, number, octets } from "@/parts/base/Moment.tsx";
import { State } from "@/parts/base/State.tsx";
import type { Column } from "@/parts/list/columns.ts";
import { bytes, type UserRow } from "./user.ts";
import css from "./users.module.css";

/** From this share on a mailbox is nearly full. */
const NEARLY = 0.8;

export function useUserColumns(): readonly Column<UserRow>[] {
  const { t } = useLingui();
  return useMemo(
    () => [
      {
        id: "name",
        title: t`Name`,
        width: "minmax(120px, 2fr)",
        phone: "name",
        sort: "full_name",
        cell: (user) => user.full_name || user.address,
        text: (user) => user.full_name ?? "",
      },
      {
        id: "address",
        title: t`Address`,
        width: "minmax(160px, 2fr)",
        room: "low",
        sort: "address",
        cell: (user) => <span className="muted">{user.address}</span>,
        text: (user) => user.address,
      },
      {
        id: "storage",
        title: t`Storage`,
        width: "136px",
        phone: "figure",
        sort: "quota",
        cell: (user) => <Storage user={user} />,
        text: (user) => user.storage ?? "",
      },
      {
        id: "messages",
        title: t`Messages`,
        width: "80px",
        align: "end",
        room: "low",
        extra: true,
        cell: (user) => (typeof user.messages === "number" ? number(user.messages) : ""),
        text: (user) => user.messages ?? "",
      },
      {
        id: "signed-in",
        title: t`Last sign-in`,
        width: "128px",
        room: "medium",
        sort: "last_sign_in",
        cell: (user) => <Moment at={user.last_sign_in} />,
        text: (user) => user.last_sign_in ?? "",
      },
      {
        id: "state",
        title: t`State`,
        width: "minmax(168px, 1fr)",
        phone: "state",
        cell: (user) => <UserState user={user} />,
        text: (user) => (user.enabled === false ? t`Sign-in off` : user.left ? t`Has left` : t`Active`),
      },
    ],
    [t],
  );
}

function Storage({ user }: { user: UserRow }) {
  const { t } = useLingui();
  const quota = bytes(user.quota);
  const used = user.storage;
  if (typeof used !== "number")
    return <span className="muted">{quota ? t`${octets(quota)} at most` : t`no limit`}</span>;
  const share = quota ? Math.min(1, used / quota) : 0;
  return (
    <span className={css.storage}>
      <span>
        {octets(used)} {quota > 0 && <small>{t`of ${octets(quota)}`}</small>}
      </span>
      {quota > 0 && (
        <i className={css.bar} data-mood={share >= 1 ? "error" : share >= NEARLY ? "warn" : undefined}>
          <i style={{ width: `${Math.round(share * 100)}%` }} />
        </i>
      )}
    </span>
  );
}

export function UserState({ user }: { user: UserRow }) {
  const { t } = useLingui();
  const quota = bytes(user.quota);
  const share = quota && typeof user.storage === "number" ? user.storage / quota : 0;
  if (user.enabled === false) return <State mood="muted">{t`Sign-in off`}</State>;
  if (user.left) return <State mood="muted" icon="ban">{t`Has left`}</State>;
  if (share >= NEARLY)
    return <State mood={share >= 1 ? "error" : "warn"}>{t`Quota ${Math.round(share * 100)} %`}</State>;
  if (!user.last_sign_in) return <State mood="info" icon="mail">{t`Not signed in yet`}</State>;
  if (user.rights && user.rights !== "none") return <State mood="ok" icon="key">{t`Administrator`}</State>;
  return <State mood="ok">{t`Active`}</State>;
}
