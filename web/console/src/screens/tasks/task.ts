export interface TaskRow {
  readonly id: string;
  readonly queue_id: string;
  readonly sender: string;
  readonly destination: string;
  readonly recipients: number;
  readonly phase: string;
  readonly server: string;
  readonly size: number;
  readonly percent: number;
  readonly tls: string;
  readonly since: string;
  /** When it was seen to be over; milliseconds. */
  readonly ended?: number;
}

/** Those that are over stay for so long: most are gone before anybody has read their row. */
const FADES = 3000;

export function keepEnded(before: readonly TaskRow[], now: readonly TaskRow[], at: number): readonly TaskRow[] {
  const running = new Map(now.map((row) => [row.id, row]));
  const kept = before
    .filter((row) => running.has(row.id) || at - (row.ended ?? at) < FADES)
    .map((row) => running.get(row.id) ?? { ...row, ended: row.ended ?? at });
  const known = new Set(kept.map((row) => row.id));
  return [...kept, ...now.filter((row) => !known.has(row.id))];
}

export function fitting(row: TaskRow, search: string): boolean {
  const words = search.trim().toLowerCase();
  return (
    !words ||
    [row.destination, row.server, row.sender, row.queue_id, row.phase].some((each) =>
      each.toLowerCase().includes(words),
    )
  );
}
