/** What the server says of users. */
export interface UserRow {
  readonly address: string;
  readonly full_name?: string;
  readonly enabled?: boolean;
  readonly rights?: string;
  /** Octets; 0: no limit. */
  readonly quota?: number | string;
  /** Octets in the mailbox; servers that do not count for lists leave it out. */
  readonly used?: number;
  readonly messages?: number;
  readonly last_sign_in?: string | null;
  readonly description?: string;
  readonly locked_until?: string | null;
}

export interface UserView extends UserRow {
  readonly has_password?: boolean;
  readonly last_service?: string;
  readonly last_address?: string;
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
