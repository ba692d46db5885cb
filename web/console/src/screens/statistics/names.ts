/** What is counted, in words; parts of it (services, reasons) by the server's names where we have none. */
import { msg } from "@lingui/core/macro";
import { useLingui } from "@lingui/react/macro";
import type { MessageDescriptor } from "@lingui/core";

const NAMES: Readonly<Record<string, MessageDescriptor>> = {
  "messages-in": msg`Messages accepted`,
  deliveries: msg`Deliveries`,
  refused: msg`Refused`,
  reports: msg`Reports to senders`,
  "octets-received": msg`Octets of messages accepted`,
  "sign-ins": msg`Sign-ins`,
  "sign-ins-failed": msg`Sign-ins failed`,
  "sign-ins-locked": msg`Sign-ins locked out`,
  connections: msg`Connections`,
  "connections-ended": msg`Connections ended`,
  "connections-refused": msg`Connections refused`,
  tls: msg`TLS handshakes`,
  "tls-failed": msg`TLS handshakes failed`,
  "octets-in": msg`Octets from clients`,
  "octets-out": msg`Octets to clients`,
  cpu: msg`Processor time`,
  "delivered-local": msg`to mailboxes`,
  "delivered-remote": msg`to other servers`,
  delayed: msg`put off`,
  failed: msg`returned`,
  discarded: msg`discarded`,
  parked: msg`held`,
  "unknown-recipient": msg`unknown recipient`,
  "relay-denied": msg`relaying denied`,
  "mailbox-full": msg`mailbox full`,
  "too-large": msg`too large`,
  filtered: msg`by a filter`,
  "no-room": msg`no room on the disk`,
  temporary: msg`for the moment`,
  other: msg`other`,
};

/** `refused.unknown-recipient` -> "unknown recipient": the part alone, as it stands below its family. */
export function useNames(): (name: string) => string {
  const { i18n } = useLingui();
  return (name) => {
    const last = name
      .split(".")
      .slice(name.includes(".") ? 1 : 0)
      .join(".");
    const known = NAMES[last];
    return known ? i18n._(known) : last;
  };
}
