/** How a mail program reaches this server: from the list of services as they are. */

export interface Service {
  readonly service: string;
  readonly state: string;
  readonly listen: readonly string[];
  readonly tls: string;
}

export interface Way {
  readonly protocol: "IMAP" | "POP3" | "SMTP";
  readonly port: string;
  /** TLS from the first octet on. */
  readonly implicit: boolean;
}

// biome-ignore format: a table
const PROTOCOLS: Readonly<Record<string, Way["protocol"]>> = {
  imaps: "IMAP", imap: "IMAP", pop3s: "POP3", pop3: "POP3", submissions: "SMTP", submission: "SMTP",
};

/** For each protocol that answers, one way: implicit TLS where there is (RFC 8314 3), else STARTTLS. */
export function waysIn(services: readonly Service[]): readonly Way[] {
  const ways = new Map<Way["protocol"], Way>();
  for (const [name, protocol] of Object.entries(PROTOCOLS)) {
    const service = services.find((each) => each.service === name);
    if (!service || !["listening", "partly"].includes(service.state) || ways.has(protocol)) continue;
    const address = service.listen.find((each) => !isLoopback(each)) ?? service.listen[0] ?? "";
    const port = /:(\d+)$/.exec(address)?.[1] ?? "";
    if (port) ways.set(protocol, { protocol, port, implicit: name.endsWith("s") });
  }
  return [...ways.values()];
}

const isLoopback = (address: string) => /^(127\.|\[::1\]|localhost)/.test(address);
