/** Where an address leads, as `alias check` tells it. */
import { useQuery } from "@tanstack/react-query";
import { read } from "@/api/admin.ts";

export type StepKind =
  | "user"
  | "forwarding"
  | "alias"
  | "group"
  | "catch-all"
  | "postmaster"
  | "elsewhere"
  | "refused"
  | "hidden";

export interface Step {
  readonly depth: number;
  readonly address: string;
  /** In words of the server. */
  readonly is_a: string;
  readonly kind: StepKind;
  readonly leads_to: readonly string[];
  /** Of a forwarding: a copy stays in the mailbox. */
  readonly keeps: boolean;
}

export interface Resolution {
  readonly steps: readonly Step[];
  readonly mailboxes: readonly string[];
  readonly remote: readonly string[];
  readonly problems: readonly string[];
}

/** The words after the kind: "refused: no such user" -> "no such user"; "alias (shop-*@example.org)" -> the name. */
export function detail(step: Step): string {
  if (step.kind === "refused") return step.is_a.replace(/^refused:?\s*/, "");
  const name = /\(([^)]*)\)/.exec(step.is_a)?.[1] ?? "";
  return name.toLowerCase() === step.address.toLowerCase() ? "" : name;
}

export const tagged = (step: Step): boolean => step.is_a.endsWith(", with a tag");

/** What the address is that was asked about, and what it leads to directly, by address in lower case. */
export function direct(steps: readonly Step[]): ReadonlyMap<string, Step> {
  return new Map(steps.filter((step) => step.depth === 1).map((step) => [step.address.toLowerCase(), step]));
}

/** An address that a pattern takes: `*` and `?` stand for something. */
export function sample(address: string): string {
  const [local = "", domain] = split(address);
  const made = (local === "*" ? "anything" : local.replaceAll("*", "any")).replaceAll("?", "x");
  return domain === undefined ? made : `${made}@${domain}`;
}

function split(address: string): [string, string | undefined] {
  const at = address.lastIndexOf("@");
  return at < 0 ? [address, undefined] : [address.slice(0, at), address.slice(at + 1)];
}

/** `name` as an address of `domain`, as records mean it. */
export const full = (name: string, domain: string): string => (name.includes("@") ? name : `${name}@${domain}`);

export const domainOf = (address: string): string => split(address)[1] ?? "";

export function useWay(address: string) {
  return useQuery({
    queryKey: ["alias", "check", address],
    enabled: address !== "",
    queryFn: ({ signal }) => read<Resolution>("alias", "check", { address }, signal),
    retry: false,
    placeholderData: (before) => before,
  });
}
