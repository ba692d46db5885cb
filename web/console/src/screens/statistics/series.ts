/** What was counted over time, as `stats show` gives it. */
import { read } from "@/api/admin.ts";

export type Period = "2h" | "24h" | "7d" | "30d" | "1y";

/** A little less than the name says: the server keeps each step just as far back as this, and goes over to the next
 * coarser one beyond it. */
const LAST: Record<Period, string> = { "2h": "119m", "24h": "1439m", "7d": "167h", "30d": "719h", "1y": "364d" };
export const PERIODS = Object.keys(LAST) as readonly Period[];

/** In which time counts are given, so that all steps of a chart can be compared: seconds. */
export const PER: Record<Period, number> = { "2h": 60, "24h": 3600, "7d": 3600, "30d": 86_400, "1y": 86_400 };

export interface Totals {
  readonly started: string;
  readonly reset: string;
  readonly latency_p50: number | null;
  readonly latency_p95: number | null;
  readonly totals: readonly Total[];
  readonly now: readonly { name: string; value: number; unit: string }[];
  readonly senders: readonly Top[];
  readonly recipients: readonly Top[];
}

export interface Total {
  readonly name: string;
  readonly start: number;
  readonly today: number;
  readonly ever: number;
  readonly unit: string;
}

export interface Top {
  readonly name: string;
  readonly messages: number;
  readonly octets: number;
}

export interface Point {
  readonly time: string;
  readonly name: string;
  readonly value: number | null;
}

export interface Measured {
  /** Seconds since 1970, rising. */
  readonly times: readonly number[];
  /** Seconds of one step. */
  readonly step: number;
  readonly values: Readonly<Record<string, readonly (number | null)[]>>;
}

/** Series of one step: gaps stay null. */
export function measured(points: readonly Point[], names: readonly string[]): Measured {
  const byName = new Map<string, Map<number, number | null>>();
  const all = new Set<number>();
  for (const { time, name, value } of points) {
    const at = new Date(time).getTime() / 1000;
    all.add(at);
    if (!byName.has(name)) byName.set(name, new Map());
    byName.get(name)?.set(at, value);
  }
  const times = [...all].toSorted((a, b) => a - b);
  const step = times.length > 1 ? (times.at(1) ?? 0) - (times[0] ?? 0) : 0;
  const values = Object.fromEntries(
    names.map((name) => [name, times.map((time) => byName.get(name)?.get(time) ?? null)]),
  );
  return { times, step, values };
}

/** Counts of a step as so many in `per` seconds. */
export const rate = (values: readonly (number | null)[], step: number, per: number): readonly (number | null)[] =>
  values.map((value) => (value === null || !step ? null : (value / step) * per));

/** Without what lies before anything was measured, but never less than a tenth of the time. */
export function trimmed({ times, step, values }: Measured): Measured {
  const first = times.findIndex((_, at) => Object.values(values).some((each) => each[at] !== null));
  const from = first < 0 ? times.length : Math.min(first, Math.floor(times.length * 0.9));
  return {
    times: times.slice(from),
    step,
    values: Object.fromEntries(Object.entries(values).map(([name, each]) => [name, each.slice(from)])),
  };
}

export async function readSeries(names: readonly string[], period: Period, signal: AbortSignal): Promise<Measured> {
  const { points } = await read<{ points: readonly Point[] }>(
    "stats",
    "show",
    { series: names, last: LAST[period], top: 0 },
    signal,
  );
  return measured(points, names);
}

/** What is usual for each hour of a day: the mean of the same weekday's, as far as it was measured. */
export function usual({ times, values }: Measured, name: string, day: Date): readonly (number | null)[] {
  const sums = Array.from({ length: 24 }, () => ({ sum: 0, count: 0 }));
  for (const [at, time] of times.entries()) {
    const then = new Date(time * 1000);
    const value = values[name]?.[at];
    if (value === null || value === undefined || then.getDay() !== day.getDay()) continue;
    if (then.toDateString() === day.toDateString()) continue;
    const hour = sums[then.getHours()];
    if (hour) [hour.sum, hour.count] = [hour.sum + value, hour.count + 1];
  }
  return sums.map(({ sum, count }) => (count ? sum / count : null));
}
