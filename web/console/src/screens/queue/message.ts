/** What the server says of messages that wait. */
export interface QueueRow {
  readonly id: string;
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly status: string;
  readonly next_attempt: string | null;
  readonly attempts: number;
  readonly size: number;
  readonly held: boolean;
  readonly created: string;
  readonly message_id: string;
  readonly client: string;
}

export interface QueueView extends Omit<QueueRow, "recipients" | "status"> {
  readonly user: string;
  readonly require_tls: boolean;
  readonly given_up: string;
  readonly parked: string;
  readonly recipients: readonly { address: string; state: string; status: string; remote: string }[];
}

/** Where the way of a message is told. */
export const traceOf = (id: string) => ({ to: "/trace", search: { q: id } });

export const idOf = (row: QueueRow): string => row.id;

/** ASAP: it is due already. */
export const isDue = (row: { next_attempt: string | null }, now = Date.now()): boolean =>
  !!row.next_attempt && new Date(row.next_attempt).getTime() <= now;
