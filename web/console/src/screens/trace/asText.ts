/** A story as text for the other side: times, replies and ids, none of our mailboxes, rules or hosts. */
import { i18n } from "@lingui/core";
import { msg } from "@lingui/core/macro";
import type { Message, Outcome } from "./story.ts";
import { reply } from "./useVerdict.ts";

const SAID = {
  delivered: msg`delivered`,
  junk: msg`delivered`,
  relayed: msg`passed on`,
  waiting: msg`waiting to be delivered`,
  held: msg`waiting to be delivered`,
  returned: msg`returned`,
  refused: msg`refused`,
  discarded: msg`not delivered`,
  "under-way": msg`accepted`,
} as const;

export function asText(message: Message, { address, fate, at, status }: Outcome): string {
  const facts: readonly [string, string][] = [
    [i18n._(msg`From`), message.sender || "<>"],
    [i18n._(msg`To`), address],
    [i18n._(msg`Subject`), message.subject],
    [i18n._(msg`Message-ID`), message.messageId && `<${message.messageId}>`],
    [i18n._(msg`Received`), message.at],
    [i18n._(msg`Result`), `${i18n._(SAID[fate])}, ${at}`],
    [i18n._(msg`Reply`), fate === "refused" || fate === "returned" ? reply(status) : ""],
  ];
  return facts
    .filter(([, value]) => value)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");
}

/** That nothing came, for whoever looks after the mail of the other side: what was looked for and how long, and what to
 * send back. `within`: "the last 24 hours". */
export function forTheOther(addresses: readonly string[], within: string): string {
  const [one = "", other] = addresses;
  const at = new Date().toISOString();
  const sought = other ? i18n._(msg`between ${one} and ${other}`) : i18n._(msg`from or to ${one}`);
  return [
    i18n._(msg`No message ${sought} has reached our mail server in ${within} (looked at ${at}).`),
    i18n._(
      msg`Please look for it in the log of the sending server: the time, the server it was given to, and the reply with its code. A report of failed delivery says the same.`,
    ),
  ].join("\n\n");
}
