import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import { Trans, useLingui } from "@lingui/react/macro";
import { Menu, Tooltip } from "@mantine/core";
import { Link, useNavigate, useRouterState } from "@tanstack/react-router";
import { useState } from "react";
import { type Me, me, type Right, signOut } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { IconButton } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { LANGUAGES, type Language, speak } from "../language.ts";
import { Logo } from "../Logo.tsx";
import { setDensity, setSidebar, setTheme, sidebar, switchTheme, type Theme } from "../preferences.ts";
import { AREAS, type Area, type Screen, visibleTo } from "../screens.ts";
import { useBadges } from "./badges.ts";
import css from "./Navigation.module.css";

/** The areas that are folded until one goes there. */
const FOLDED: readonly Area[] = ["server"];

export function Navigation() {
  const { t } = useLingui();
  const who = useStore(me);
  const narrow = useStore(sidebar) === "narrow";
  const screens = visibleTo(who);
  const areas = (["top", ...Object.keys(AREAS)] as Area[]).map((area) => ({
    area,
    screens: screens.filter((screen) => screen.area === area),
  }));
  return (
    <nav className={css.side} aria-label={t`Main`} data-narrow={narrow || undefined}>
      <div className={css.brand}>
        <Link to="/">
          <Logo />
          <span>
            <b>Whimbrel</b>
            <small className="ellipsis">{who?.server.hostname}</small>
          </span>
        </Link>
        <IconButton
          icon="side"
          label={narrow ? t`Wide navigation` : t`Narrow navigation`}
          onClick={() => setSidebar(narrow ? "wide" : "narrow")}
        />
      </div>
      <div className={css.list}>
        {areas.map(({ area, screens }) => screens.length > 0 && <Group key={area} {...{ area, screens, narrow }} />)}
      </div>
      <Person who={who} />
    </nav>
  );
}

function Group({ area, screens, narrow }: { area: Area; screens: readonly Screen[]; narrow: boolean }) {
  const { i18n } = useLingui();
  const path = useRouterState({ select: (state) => state.location.pathname });
  const within = screens.some((screen) => screen.path === path);
  const [chosen, setChosen] = useState<boolean | null>(null);
  const folds = FOLDED.includes(area) && !narrow;
  const open = !folds || (chosen ?? within);
  return (
    <section>
      {area !== "top" &&
        (folds ? (
          <h2>
            <button type="button" aria-expanded={open} onClick={() => setChosen(!open)}>
              {i18n._(AREAS[area])}
              <Icon name={open ? "down" : "right"} />
            </button>
          </h2>
        ) : (
          <h2>{i18n._(AREAS[area])}</h2>
        ))}
      {open && (
        <ul>
          {screens.map((screen) => (
            <li key={screen.id}>
              <Item screen={screen} narrow={narrow} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Item({ screen, narrow }: { screen: Screen; narrow: boolean }) {
  const { t, i18n } = useLingui();
  const { count, dirty } = useBadges(screen.id);
  const title = i18n._(screen.title);
  const link = (
    <Link to={screen.path} activeProps={{ "aria-current": "page" }} activeOptions={{ includeSearch: false }}>
      <Icon name={screen.icon} />
      <span className="ellipsis">{title}</span>
      {dirty > 0 && (
        <>
          <i className="dot" />
          <span className="hidden">{t`Changes not saved: ${dirty}`}</span>
        </>
      )}
      {count > 0 && <span className={css.count}>{i18n.number(count)}</span>}
    </Link>
  );
  return narrow ? (
    <Tooltip label={title} position="right">
      {link}
    </Tooltip>
  ) : (
    link
  );
}

const RIGHTS: Record<Right, MessageDescriptor> = {
  none: msg`Own account`,
  accounts: msg`Accounts`,
  domain: msg`Own domains`,
  "server-read": msg`Whole server, reading`,
  "server-write": msg`Whole server`,
};

export function Person({ who }: { who: Me | null | undefined }) {
  const { t, i18n } = useLingui();
  if (!who) return null;
  const name = who.full_name || who.name;
  const initials = name
    .split(/[\s.@]+/)
    .slice(0, 2)
    .map((word) => word[0]?.toUpperCase())
    .join("");
  return (
    <div className={css.person}>
      <Menu position="top-start" width={232}>
        <Menu.Target>
          <button type="button" className={css.who}>
            <span className={css.face} aria-hidden>
              {initials}
            </span>
            <span>
              <b className="ellipsis">{name}</b>
              <small>{i18n._(RIGHTS[who.right])}</small>
            </span>
            <span className="hidden">{t`Own settings, sign out`}</span>
          </button>
        </Menu.Target>
        <Menu.Dropdown>
          <Own />
        </Menu.Dropdown>
      </Menu>
      <IconButton icon="moon" label={t`Switch light and dark`} onClick={switchTheme} />
    </div>
  );
}

/** What a person sets for themselves; in the menu, and on a phone in the sheet. */
export function Own() {
  const { t, i18n } = useLingui();
  const navigate = useNavigate();
  const themes: Record<Theme, string> = { system: t`As the system`, light: t`Light`, dark: t`Dark` };
  return (
    <>
      <Menu.Label>
        <Trans>Theme</Trans>
      </Menu.Label>
      {(Object.keys(themes) as Theme[]).map((each) => (
        <Menu.Item
          key={each}
          leftSection={<Icon name={each === "dark" ? "moon" : "sun"} />}
          onClick={() => setTheme(each)}
        >
          {themes[each]}
        </Menu.Item>
      ))}
      <Menu.Label>
        <Trans>Language</Trans>
      </Menu.Label>
      {(Object.keys(LANGUAGES) as Language[]).map((each) => (
        <Menu.Item
          key={each}
          leftSection={<Icon name={i18n.locale === each ? "check" : "globe"} />}
          onClick={() => void speak(each, true)}
        >
          {LANGUAGES[each]}
        </Menu.Item>
      ))}
      <Menu.Divider />
      <Menu.Item leftSection={<Icon name="rows" />} onClick={() => setDensity()}>
        <Trans>Other density of rows</Trans>
      </Menu.Item>
      <Menu.Item leftSection={<Icon name="help" />} onClick={() => void navigate({ to: "/help" })}>
        <Trans>Help</Trans>
      </Menu.Item>
      <Menu.Item leftSection={<Icon name="signout" />} onClick={() => void signOut()}>
        <Trans>Sign out</Trans>
      </Menu.Item>
    </>
  );
}
