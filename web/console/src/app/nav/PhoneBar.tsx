/** On a phone: the first four screens below, all of them in a sheet. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Menu, Modal } from "@mantine/core";
import { Link, useRouterState } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { me } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { AREAS, type Area, visibleTo } from "../screens.ts";
import { Own } from "./Navigation.tsx";
import css from "./PhoneBar.module.css";

const NEAR = ["dashboard", "trace", "queue", "users", "logs", "domains"];

export function PhoneBar() {
  const { t, i18n } = useLingui();
  const who = useStore(me);
  const [open, setOpen] = useState(false);
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
      <Modal opened={open} onClose={() => setOpen(false)} fullScreen title={who?.server.hostname ?? ""}>
        <div className={css.sheet}>
          {(["top", ...Object.keys(AREAS)] as Area[]).map((area) => {
            const here = screens.filter((screen) => screen.area === area);
            if (!here.length) return null;
            return (
              <section key={area}>
                {area !== "top" && <h3>{i18n._(AREAS[area])}</h3>}
                {here.map((screen) => (
                  <Link key={screen.id} to={screen.path} activeProps={{ "aria-current": "page" }}>
                    <Icon name={screen.icon} size={20} />
                    {i18n._(screen.title)}
                  </Link>
                ))}
              </section>
            );
          })}
          <Menu position="top">
            <Menu.Target>
              <Button icon="settings">
                <Trans>Theme, language, sign out</Trans>
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Own />
            </Menu.Dropdown>
          </Menu>
        </div>
      </Modal>
    </nav>
  );
}
