/** On a phone: all screens, and what the menu under one's name has elsewhere. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Menu } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { me } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { AREAS, type Area, visibleTo } from "../screens.ts";
import { Own } from "./Navigation.tsx";
import css from "./PhoneBar.module.css";

interface Props {
  readonly open: boolean;
  readonly onClose: () => void;
}

export default function PhoneSheet({ open, onClose }: Props) {
  const { i18n } = useLingui();
  const who = useStore(me);
  const screens = visibleTo(who);
  return (
    <Dialog opened={open} onClose={onClose} fullScreen title={who?.server.hostname ?? ""}>
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
    </Dialog>
  );
}
