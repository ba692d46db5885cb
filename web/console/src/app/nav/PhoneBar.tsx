/** On a phone: the first four screens below, all of them in a sheet. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Link, useRouterState } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { me } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { useLater } from "@/parts/base/advance.ts";
import { Icon } from "@/parts/base/Icon.tsx";
import { visibleTo } from "../screens.ts";
import css from "./PhoneBar.module.css";

const sheet = () => import("./PhoneSheet.tsx");
const NEAR = ["dashboard", "trace", "queue", "users", "logs", "domains"];

export function PhoneBar() {
  const { t, i18n } = useLingui();
  const who = useStore(me);
  const [open, setOpen] = useState(false);
  const all = useLater(sheet, open, { open, onClose: () => setOpen(false) });
  const path = useRouterState({ select: (state) => state.location.pathname });
  useEffect(() => setOpen(false), [path]);
  const screens = visibleTo(who);
  const near = NEAR.flatMap((id) => screens.filter((screen) => screen.id === id)).slice(0, 4);
  return (
    <nav className={css.bar} aria-label={t`Screens`}>
      {near.map((screen) => (
        <Link key={screen.id} to={screen.path} activeProps={{ "aria-current": "page" }}>
          <Icon name={screen.icon} size={20} />
          <span className="ellipsis">{i18n._(screen.title)}</span>
        </Link>
      ))}
      <button type="button" aria-expanded={open} onClick={() => setOpen(true)}>
        <Icon name="menu" size={20} />
        <Trans>More</Trans>
      </button>
      {all}
    </nav>
  );
}
