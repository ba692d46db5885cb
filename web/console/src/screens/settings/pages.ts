/** Which settings stand on which page. A section that no page names is on the last one, so that none is ever lost. */
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import type { IconName } from "@/parts/base/icons.ts";
import type { Group } from "@/parts/form/fields.ts";

export interface SettingsTab {
  readonly id: string;
  readonly title: MessageDescriptor;
  /** Sections, or single settings, by their paths; the longest path that fits decides. */
  readonly paths: readonly string[];
}

export interface SettingsPage {
  readonly id: string;
  readonly title: MessageDescriptor;
  readonly area: "flow" | "server";
  readonly icon: IconName;
  readonly tabs: readonly SettingsTab[];
}

const one = (title: MessageDescriptor, ...paths: string[]): SettingsTab[] => [{ id: "all", title, paths }];

/** Settings of `delivery` that say when and how much is tried, not where. */
const QUEUE_OPTIONS = [
  "retry-after",
  "notify-after",
  "notify-again",
  "give-up-after",
  "hold-remote",
  "max-deliveries",
  "per-destination",
  "max-recipients",
  "max-connecting",
  "unreachable-for",
  "reuse-idle",
  "reuse-count",
];

export const SETTINGS_PAGES: readonly SettingsPage[] = [
  {
    id: "smtp",
    title: msg`SMTP`,
    area: "flow",
    icon: "send",
    tabs: [
      { id: "relay", title: msg`Relay control`, paths: ["relay", "trusted-relays", "routing"] },
      { id: "security", title: msg`Security`, paths: ["smtp", "smtp-server"] },
      { id: "delivery", title: msg`Delivery`, paths: ["delivery"] },
      {
        id: "queue",
        title: msg`Queue options`,
        paths: QUEUE_OPTIONS.map((name) => `delivery/${name}`),
      },
      { id: "reports", title: msg`Reports to senders`, paths: ["reports"] },
    ],
  },
  {
    id: "spam",
    title: msg`Spam filter`,
    area: "flow",
    icon: "filter",
    tabs: [
      { id: "rating", title: msg`Rating`, paths: ["rating"] },
      { id: "filters", title: msg`Filters`, paths: ["filters"] },
      {
        id: "authentication",
        title: msg`SPF, DKIM, DMARC`,
        paths: ["filters/spf", "filters/dkim", "filters/arc", "filters/dmarc"],
      },
      { id: "policy", title: msg`Time limits`, paths: ["policy"] },
    ],
  },
  {
    id: "services",
    title: msg`Services and ports`,
    area: "server",
    icon: "server",
    tabs: one(msg`Services`, "services"),
  },
  {
    id: "security",
    title: msg`Security policy`,
    area: "server",
    icon: "shield",
    tabs: [
      { id: "sign-in", title: msg`Sign-in`, paths: ["security"] },
      { id: "tls", title: msg`TLS`, paths: ["tls"] },
    ],
  },
  {
    id: "definitions",
    title: msg`Definitions`,
    area: "server",
    icon: "link",
    tabs: [
      { id: "ip-groups", title: msg`IP groups`, paths: ["definitions/ip-group"] },
      { id: "time-intervals", title: msg`Time intervals`, paths: ["definitions/time-interval"] },
    ],
  },
  {
    id: "mailboxes",
    title: msg`IMAP and POP3`,
    area: "server",
    icon: "folder",
    tabs: [
      { id: "imap", title: msg`IMAP`, paths: ["imap"] },
      { id: "folders", title: msg`Folders`, paths: ["folders"] },
      { id: "pop3", title: msg`POP3`, paths: ["pop3"] },
    ],
  },
  {
    id: "storage",
    title: msg`Storage limits`,
    area: "server",
    icon: "disk",
    tabs: [
      { id: "store", title: msg`Store`, paths: ["store", "jobs"] },
      { id: "space", title: msg`Free space`, paths: ["space"] },
      { id: "quota", title: msg`Quota`, paths: ["quota"] },
    ],
  },
  { id: "logs", title: msg`Log settings`, area: "server", icon: "log", tabs: one(msg`Logs`, "logs") },
  {
    id: "advanced",
    title: msg`Advanced`,
    area: "server",
    icon: "settings",
    tabs: [
      { id: "server", title: msg`Processes`, paths: ["server"] },
      { id: "dns", title: msg`DNS`, paths: ["dns"] },
      { id: "history", title: msg`Former versions`, paths: ["history"] },
      { id: "rest", title: msg`Everything else`, paths: [""] },
    ],
  },
];

/** Settings that are set where a screen shows what they do, on its tab `settings`. */
export const OWN_SCREENS: readonly SettingsPage[] = [
  { area: "server", icon: "bell", id: "alerts", title: msg`Alerts`, tabs: one(msg`Alerts`, "alerts") },
  { area: "server", icon: "link", id: "servers", title: msg`Other servers`, tabs: one(msg`Other servers`, "servers") },
  { area: "server", icon: "gauge", id: "health", title: msg`Health checks`, tabs: one(msg`Health checks`, "health") },
];

const own = (page: string) => OWN_SCREENS.some(({ id }) => id === page);

const PLACES = [...SETTINGS_PAGES, ...OWN_SCREENS]
  .flatMap((page) => page.tabs.flatMap((tab) => tab.paths.map((path) => ({ page: page.id, tab: tab.id, path }))))
  .toSorted((a, b) => b.path.length - a.path.length);

const covers = (path: string, setting: string) =>
  path === "" || setting === path || setting.startsWith(`${path}/`) || setting.startsWith(`${path}[`);

function placeOf(setting: string) {
  return PLACES.find(({ path }) => covers(path, setting)) ?? { page: "advanced", tab: "rest" };
}

export const pageOf = (setting: string): string => placeOf(setting).page;
export const tabOf = (setting: string): string => placeOf(setting).tab;
export const pathOf = (page: string): string => (own(page) ? `/${page}` : `/settings/${page}`);
/** In the table of screens. */
export const screenIdOf = (page: string): string => (own(page) ? page : `settings-${page}`);

/** The groups of one tab, without what belongs to another. */
export function groupsIn(groups: readonly Group[], page: string, tab: string): Group[] {
  return groups
    .map((group) => ({
      ...group,
      fields: group.fields.filter((field) => {
        const place = placeOf(field.path);
        return place.page === page && place.tab === tab;
      }),
    }))
    .filter((group) => group.fields.length);
}
