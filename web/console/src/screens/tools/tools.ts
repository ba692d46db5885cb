/** The tools: calls of the noun `test`, what each is asked, and what it costs. */
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";

export type ToolId = "dns" | "smtp" | "tls" | "mail" | "ports";

export interface Input {
  readonly name: string;
  readonly title: MessageDescriptor;
  readonly example?: string;
  /** What it is unless something is written. */
  readonly initial?: string;
  /** Nothing happens without it. */
  readonly needed?: boolean;
  readonly choices?: readonly string[];
  readonly numeric?: boolean;
  readonly wide?: boolean;
}

export interface Tool {
  readonly id: ToolId;
  readonly title: MessageDescriptor;
  /** What it does, and what it does not. */
  readonly help: MessageDescriptor;
  /** On its button. */
  readonly verb: MessageDescriptor;
  readonly inputs: readonly Input[];
  /** It only looks at what is public, or ours. */
  readonly reads: boolean;
  /** Those who may only look at the server may use it. */
  readonly forReaders: boolean;
}

const RECORDS = ["", "A", "AAAA", "MX", "TXT", "NS", "SOA", "CNAME", "PTR", "SRV", "CAA", "TLSA", "DS", "DNSKEY"];

export const TOOLS: readonly Tool[] = [
  {
    id: "dns",
    title: msg`DNS`,
    help: msg`Looks a name up as the server does. An address is looked up by its name in reverse.`,
    verb: msg`Look up`,
    inputs: [
      { name: "name", title: msg`Domain, host or address`, example: "example.org", needed: true, wide: true },
      { name: "type", title: msg`Type of records`, choices: RECORDS },
    ],
    reads: true,
    forReaders: true,
  },
  {
    id: "smtp",
    title: msg`SMTP`,
    help: msg`Calls a mail server and shows all that is said. Nothing is sent unless an address is given.`,
    verb: msg`Call`,
    inputs: [
      { name: "name", title: msg`Domain, host or address`, example: "example.org", needed: true, wide: true },
      { name: "port", title: msg`Port`, initial: "25", numeric: true },
      { name: "to", title: msg`Send a test message to`, example: "bob@example.org" },
    ],
    reads: false,
    forReaders: false,
  },
  {
    id: "tls",
    title: msg`TLS`,
    help: msg`Looks at the TLS of a server: versions, cipher, certificates with their names and their end.`,
    verb: msg`Look`,
    inputs: [
      { name: "place", title: msg`Host and port`, example: "mail.example.org:993", needed: true, wide: true },
      {
        name: "starttls",
        title: msg`Before TLS is spoken`,
        choices: ["auto", "none", "smtp", "imap", "pop3"],
        initial: "auto",
      },
    ],
    reads: true,
    forReaders: false,
  },
  {
    id: "mail",
    title: msg`Message`,
    help: msg`Sends a test message by the server's own way and queue, and follows it.`,
    verb: msg`Send`,
    inputs: [
      { name: "address", title: msg`To`, example: "bob@example.org", needed: true, wide: true },
      { name: "seconds", title: msg`Seconds to follow it`, initial: "60", numeric: true },
    ],
    reads: false,
    forReaders: false,
  },
  {
    id: "ports",
    title: msg`Ports`,
    help: msg`Tries each port of our services: is it open, does it greet, and who holds it if not.`,
    verb: msg`Try all ports`,
    inputs: [],
    reads: true,
    forReaders: true,
  },
];

/** What was typed, as the call takes it: without what is empty or as usual, numbers as numbers. */
export function argumentsOf(tool: Tool, typed: Readonly<Record<string, string>>): Record<string, string | number> {
  const made: Record<string, string | number> = {};
  for (const { name, initial = "", numeric } of tool.inputs) {
    const value = (typed[name] ?? initial).trim();
    if (value === "" || value === initial) continue;
    const number = Number(value.replace(",", "."));
    made[name] = numeric && !Number.isNaN(number) ? number : value;
  }
  return made;
}
