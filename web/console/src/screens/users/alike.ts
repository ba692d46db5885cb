/** "Same as a colleague": what the new user can get too, and how. */
import { type Page, read, readVersion, run } from "@/api/admin.ts";
import type { Right } from "@/api/session.ts";
import { bytes, type UserView } from "./user.ts";

export type Kind = "group" | "alias" | "quota" | "rights";

/** One thing that a colleague has. */
export interface Shared {
  readonly id: string;
  readonly kind: Kind;
  /** The group, the alias, the quota in octets, the right. */
  readonly value: string;
}

interface Group {
  readonly group: string;
  readonly members: readonly string[];
}
interface Alias {
  readonly alias: string;
  readonly to: readonly string[];
}

/** Records that are looked through; in a larger catalogue those of the colleague's domain alone. */
const MOST = 1000;

const shared = (kind: Kind, value: string): Shared => ({ id: `${kind} ${value}`, kind, value });

/** `may`: whether the caller may give a right. */
export async function sharedWith(
  colleague: string,
  may: (right: Right) => boolean,
  signal?: AbortSignal,
): Promise<readonly Shared[]> {
  const user = await read<UserView>("user", "show", { name: colleague }, signal);
  const domain = user.address.slice(user.address.lastIndexOf("@") + 1);
  const query = { domain, limit: MOST };
  const [groups, aliases] = await Promise.all([
    read<Page<Group>>("group", "list", query, signal),
    read<Page<Alias>>("alias", "list", query, signal),
  ]);
  return sharedOf(user, groups.items, aliases.items, may);
}

export function sharedOf(
  user: UserView,
  groups: readonly Group[],
  aliases: readonly Alias[],
  may: (right: Right) => boolean,
): readonly Shared[] {
  const own = user.address.toLowerCase();
  const has = (list: readonly string[]) => list.some((each) => each.toLowerCase() === own);
  const quota = bytes(user.quota);
  const right = (user.rights ?? "none") as Right;
  return [
    ...groups.filter((each) => has(each.members)).map((each) => shared("group", each.group)),
    ...aliases.filter((each) => has(each.to)).map((each) => shared("alias", each.alias)),
    ...(quota ? [shared("quota", String(quota))] : []),
    ...(right !== "none" && may(right) ? [shared("rights", right)] : []),
  ];
}

/** What of it goes into the new record itself. */
export function asFields(chosen: readonly Shared[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    chosen.filter(({ kind }) => kind === "quota" || kind === "rights").map(({ kind, value }) => [kind, value]),
  );
}

/** Writes the new address into the chosen groups and aliases. What was refused, in words. */
export async function join(address: string, chosen: readonly Shared[]): Promise<readonly string[]> {
  const refused: string[] = [];
  for (const { kind, value } of chosen) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- a server that writes one file gains nothing by many at once
      if (kind === "group") await run("group", "set", { name: value, add_member: [address] });
      // oxlint-disable-next-line no-await-in-loop -- as above
      else if (kind === "alias") await extend(value, address);
    } catch (error) {
      refused.push(`${value}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return refused;
}

async function extend(name: string, address: string): Promise<void> {
  const { result, version } = await readVersion<Alias>("alias", "show", { name });
  if (result.to.some((each) => each.toLowerCase() === address.toLowerCase())) return;
  await run("alias", "set", { name, to: [...result.to, address] }, { ifMatch: version });
}
