/** What the server says of users. */
export interface UserRow {
  readonly address: string;
  readonly full_name?: string;
  readonly enabled?: boolean;
  /** Signs in no more; mail goes where the record says. */
  readonly left?: boolean;
  readonly rights?: string;
  /** Octets; 0: no limit. */
  readonly quota?: number | string;
  /** Octets in the mailbox; null where they were not counted. */
  readonly storage?: number | null;
  readonly messages?: number | null;
  readonly last_sign_in?: string | null;
  readonly description?: string;
}

export interface UserView extends UserRow {
  readonly has_password?: boolean;
  readonly forward_to?: readonly string[];
  readonly refusal?: string;
  readonly given_to?: string;
  readonly delete_on?: string;
  readonly last_service?: string;
  readonly last_address?: string;
  /** Until when a link to set the password is open; null: there is none. */
  readonly password_link_expires?: string | null;
  /** Where it was mailed to; empty: it was not. */
  readonly password_link_sent_to?: string;
  readonly grants?: readonly string[];
  readonly [field: string]: unknown;
}

export const idOf = (row: UserRow): string => row.address;

/** Bytes of a size that may come as a number or as text ("5G"). */
export function bytes(size: number | string | undefined | null): number {
  if (typeof size === "number") return size;
  const match = /^(\d+)([KMGT]?)$/.exec(size ?? "");
  return match ? Number(match[1]) * 1024 ** " KMGT".indexOf(match[2] || " ") : 0;
}

/** Mailboxes are looked into for no more rows than these at once. */
export const MOST_COUNTED = 500;
