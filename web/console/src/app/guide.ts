/** Where the guide tells of a setting: by the beginning of its path, the longest that fits. */

const PLACES: Readonly<Record<string, string>> = {
  server: "server#processes",
  services: "command-line#services",
  "services/console": "console#ports",
  security: "administrators#locked-out",
  "security/password-min-length": "administrators#passwords",
  "security/password-link-expires": "administrators#links-to-set-a-password",
  definitions: "server#ip-groups-and-time-intervals",
  console: "administrators#signing-in",
  servers: "server#other-servers",
  smtp: "receiving#name-and-size",
  "smtp-server": "receiving#sessions",
  imap: "mailboxes#imap-and-pop3",
  pop3: "mailboxes#imap-and-pop3",
  folders: "mailboxes#the-first-folders",
  jobs: "command-line#work-that-takes-long-and-work-at-times",
  "jobs/clean-out-at": "mailboxes#clean-out",
  alerts: "health#alerts",
  health: "health",
  relay: "receiving#relaying",
  "trusted-relays": "mail-authentication#servers-that-pass-mail-on-to-you",
  routing: "receiving#addresses",
  quota: "mailboxes#quota",
  policy: "receiving#slow-filters",
  rating: "receiving#score",
  filters: "receiving#filters",
  "filters/arc": "mail-authentication#what-is-checked",
  "filters/dmarc": "mail-authentication#dmarc",
  "filters/dkim": "mail-authentication#what-is-checked",
  "filters/spf": "mail-authentication#what-is-checked",
  delivery: "sending#where-it-goes",
  "delivery/retry-after": "sending#when-it-does-not-work",
  "delivery/notify-after": "sending#when-it-does-not-work",
  "delivery/notify-again": "sending#when-it-does-not-work",
  "delivery/give-up-after": "sending#when-it-does-not-work",
  reports: "sending#when-it-does-not-work",
  outgoing: "server#requests-to-others",
  dns: "server#dns",
  tls: "server#tls-and-certificates",
  logs: "logs#files-and-how-long-they-are-kept",
  "logs/debug": "logs#debugging",
  "logs/debug-until": "logs#debugging",
  "logs/syslog": "logs#syslog",
  history: "changes",
  store: "server#processes",
  "store/keep-deleted": "mailboxes#restoring-what-was-deleted",
  "store/self-check": "mailboxes#healing",
  space: "logs#disk-space",
};

export interface GuidePlace {
  readonly page: string;
  /** A heading; empty: the beginning of the page. */
  readonly at: string;
}

const placed = (place: string): GuidePlace => {
  const [page = "", at = ""] = place.split("#");
  return { page, at };
};

export function guidePlace(setting: string): GuidePlace | undefined {
  const path = setting.replaceAll(/\[[^\]]*\]/g, "");
  const known = Object.keys(PLACES)
    .filter((each) => path === each || path.startsWith(`${each}/`))
    .toSorted((a, b) => b.length - a.length)[0];
  return known === undefined ? undefined : placed(PLACES[known] ?? "");
}

/** What to hand to a link to `/help`. */
export const toGuide = ({ page, at }: GuidePlace): Record<string, string> => (at ? { page, at } : { page });

/** A link of the guide to another of its pages: `health.md#alerts`. Undefined: it leads elsewhere. */
export function guideLink(link: string, current: string): GuidePlace | undefined {
  if (link.startsWith("#")) return { page: current, at: link.slice(1) };
  const match = /^([a-z0-9-]+)\.md(?:#([a-z0-9_-]+))?$/.exec(link);
  return match ? { page: match[1] ?? "", at: match[2] ?? "" } : undefined;
}
