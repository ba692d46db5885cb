/** The table of screens. A new screen is a folder below src/screens and a line here: README.md says how. */
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import type { ComponentType } from "react";
import { type Me, type Right, reaches } from "@/api/session.ts";
import type { IconName } from "@/parts/base/icons.ts";
import { SETTINGS_PAGES } from "@/screens/settings/pages.ts";

export type Area = "top" | "status" | "accounts" | "flow" | "server";

export const AREAS: Record<Exclude<Area, "top">, MessageDescriptor> = {
  status: msg`Status`,
  accounts: msg`Accounts`,
  flow: msg`Mail flow`,
  server: msg`Server`,
};

export interface Screen {
  readonly id: string;
  readonly path: string;
  readonly title: MessageDescriptor;
  readonly area: Area;
  readonly icon: IconName;
  /** The least that one must be to see it. */
  readonly right: Right;
  readonly load: () => Promise<{ default: ComponentType }>;
  /** Other words that `Ctrl K` finds it by. */
  readonly words?: MessageDescriptor;
}

const settings = (): Screen["load"] => () => import("@/screens/settings/SettingsScreen.tsx");

/** In the order of the navigation. */
export const SCREENS: readonly Screen[] = [
  {
    id: "dashboard",
    path: "/dashboard",
    title: msg`Dashboard`,
    area: "top",
    icon: "dashboard",
    right: "server-read",
    load: () => import("@/screens/dashboard/DashboardScreen.tsx"),
    words: msg`health, overview, state of the server`,
  },
  {
    id: "trace",
    path: "/trace",
    title: msg`Message trace`,
    area: "top",
    icon: "trace",
    right: "server-read",
    load: () => import("@/screens/trace/TraceScreen.tsx"),
    words: msg`what became of a message, where is my mail, not delivered`,
  },
  {
    id: "queue",
    path: "/queue",
    title: msg`Queue`,
    area: "status",
    icon: "queue",
    right: "server-read",
    load: () => import("@/screens/queue/QueueScreen.tsx"),
    words: msg`waiting mail, held messages, deferred`,
  },
  {
    id: "tasks",
    path: "/tasks",
    title: msg`Delivery tasks`,
    area: "status",
    icon: "bolt",
    right: "server-read",
    load: () => import("@/screens/tasks/TasksScreen.tsx"),
    words: msg`deliveries under way, progress, sending`,
  },
  {
    id: "connections",
    path: "/connections",
    title: msg`Connections`,
    area: "status",
    icon: "plug",
    right: "accounts",
    load: () => import("@/screens/connections/ConnectionsScreen.tsx"),
    words: msg`who is connected, sessions, disconnect, clients`,
  },
  {
    id: "services",
    path: "/services",
    title: msg`Services`,
    area: "status",
    icon: "server",
    right: "server-read",
    load: () => import("@/screens/services/ServicesScreen.tsx"),
    words: msg`start, stop, restart, ports, listening`,
  },
  {
    id: "health",
    path: "/health",
    title: msg`Health checks`,
    area: "status",
    icon: "gauge",
    right: "server-read",
    load: () => import("@/screens/health/HealthScreen.tsx"),
    words: msg`doctor, what is wrong, DNS, disk, certificates, port 25, clock`,
  },
  {
    id: "alerts",
    path: "/alerts",
    title: msg`Alerts`,
    area: "status",
    icon: "bell",
    right: "server-read",
    load: () => import("@/screens/alerts/AlertsScreen.tsx"),
    words: msg`notifications, webhook, mail to the administrator, quiet hours`,
  },
  {
    id: "servers",
    path: "/servers",
    title: msg`Other servers`,
    area: "status",
    icon: "link",
    right: "server-read",
    load: () => import("@/screens/servers/ServersScreen.tsx"),
    words: msg`several servers in one console, state of other machines, token, fingerprint`,
  },
  {
    id: "statistics",
    path: "/statistics",
    title: msg`Statistics`,
    area: "status",
    icon: "chart",
    right: "server-read",
    load: () => import("@/screens/statistics/StatisticsScreen.tsx"),
    words: msg`charts, counters, top senders, traffic, latency`,
  },
  {
    id: "logs",
    path: "/logs",
    title: msg`Logs`,
    area: "status",
    icon: "log",
    right: "server-read",
    load: () => import("@/screens/logs/LogsScreen.tsx"),
    words: msg`mail log, security log, errors, warnings, debug, what happened`,
  },
  {
    id: "tools",
    path: "/tools",
    title: msg`Tools`,
    area: "status",
    icon: "tool",
    right: "server-read",
    load: () => import("@/screens/tools/ToolsScreen.tsx"),
    words: msg`DNS look-up, dial an SMTP server, TLS, certificate of another server, test message, open ports`,
  },
  {
    id: "users",
    path: "/users",
    title: msg`Users`,
    area: "accounts",
    icon: "user",
    right: "accounts",
    load: () => import("@/screens/users/UsersScreen.tsx"),
    words: msg`mailboxes, accounts, passwords, quota`,
  },
  {
    id: "groups",
    path: "/groups",
    title: msg`Groups`,
    area: "accounts",
    icon: "users",
    right: "accounts",
    load: () => import("@/screens/groups/GroupsScreen.tsx"),
    words: msg`distribution lists, members, staff`,
  },
  {
    id: "aliases",
    path: "/aliases",
    title: msg`Aliases`,
    area: "accounts",
    icon: "at",
    right: "accounts",
    load: () => import("@/screens/aliases/AliasesScreen.tsx"),
    words: msg`check an address, where does it lead, forwarding, catch-all`,
  },
  {
    id: "templates",
    path: "/templates",
    title: msg`Templates`,
    area: "accounts",
    icon: "copy",
    right: "accounts",
    load: () => import("@/screens/templates/TemplatesScreen.tsx"),
    words: msg`values for new users`,
  },
  {
    id: "domains",
    path: "/domains",
    title: msg`Domains`,
    area: "accounts",
    icon: "globe",
    right: "accounts",
    load: () => import("@/screens/domains/DomainsScreen.tsx"),
    words: msg`primary domain, catch-all, domain aliases, quota of a domain`,
  },
  ...SETTINGS_PAGES.map(
    (page): Screen => ({
      id: `settings-${page.id}`,
      path: `/settings/${page.id}`,
      title: page.title,
      area: page.area,
      icon: page.icon,
      right: "server-read",
      load: settings(),
    }),
  ),
  {
    id: "storage",
    path: "/storage",
    title: msg`Storage`,
    area: "server",
    icon: "disk",
    right: "server-read",
    load: () => import("@/screens/storage/StorageScreen.tsx"),
    words: msg`disk full, free space, largest mailboxes, deleted mail kept, check, repair, reindex`,
  },
  {
    id: "access",
    path: "/access",
    title: msg`Access`,
    area: "server",
    icon: "key",
    right: "accounts",
    load: () => import("@/screens/access/AccessScreen.tsx"),
    words: msg`API tokens, console sessions, who is signed in, sign out, administrators`,
  },
  {
    id: "files",
    path: "/files",
    title: msg`Configuration files`,
    area: "server",
    icon: "file",
    right: "server-read",
    load: () => import("@/screens/files/FilesScreen.tsx"),
    words: msg`mailserver.cfg, users.cfg, former versions, difference, edited outside, restore`,
  },
  {
    id: "changes",
    path: "/changes",
    title: msg`Change history`,
    area: "server",
    icon: "history",
    right: "accounts",
    load: () => import("@/screens/changes/ChangesScreen.tsx"),
    words: msg`who changed what, undo a change, audit, config log`,
  },
  {
    id: "help",
    path: "/help",
    title: msg`Help`,
    area: "server",
    icon: "help",
    right: "none",
    load: () => import("@/screens/help/HelpScreen.tsx"),
    words: msg`guide, manual, documentation, how to`,
  },
  {
    id: "about",
    path: "/about",
    title: msg`About`,
    area: "server",
    icon: "info",
    right: "none",
    load: () => import("@/screens/about/AboutScreen.tsx"),
    words: msg`version, licence, protocol`,
  },
];

export const screenOf = (id: string): Screen | undefined => SCREENS.find((screen) => screen.id === id);

export const visibleTo = (who: Me | null | undefined): readonly Screen[] =>
  SCREENS.filter((screen) => reaches(who, screen.right));

export const screenAt = (path: string): Screen | undefined => SCREENS.find((screen) => screen.path === path);
