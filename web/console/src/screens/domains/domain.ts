/** What the server says of domains. */
export interface DomainRow {
  readonly name: string;
  readonly primary: boolean;
  readonly description?: string;
  readonly aliases: readonly string[];
  readonly user_count: number;
  readonly group_count: number;
  readonly alias_count: number;
  /** Octets in its mailboxes; null: not counted, since they are many. */
  readonly storage: number | null;
  readonly messages: number | null;
  readonly quota?: number | string;
  readonly catch_all?: string;
  readonly [field: string]: unknown;
}

export const idOf = (row: DomainRow): string => row.name;
