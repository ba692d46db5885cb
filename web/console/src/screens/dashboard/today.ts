/** Figures of a day by its hours. */
import type { Measured } from "@/screens/statistics/series.ts";

/** The hours of `day`, with what was counted in each; null for those that have not been, or were not measured. */
export function today(
  { times, values }: Measured,
  name: string,
  day: Date,
): { times: number[]; values: (number | null)[] } {
  const midnight = new Date(day.getFullYear(), day.getMonth(), day.getDate());
  const hours = Array.from({ length: 24 }, (_, hour) => new Date(midnight).setHours(hour) / 1000);
  const sums: (number | null)[] = hours.map(() => null);
  for (const [at, time] of times.entries()) {
    const then = new Date(time * 1000);
    const value = values[name]?.[at];
    if (value === null || value === undefined || then.toDateString() !== day.toDateString()) continue;
    sums[then.getHours()] = (sums[then.getHours()] ?? 0) + value;
  }
  return { times: hours, values: sums };
}

/** What would usually have come by now; null if nothing is known of it. */
export function soFar(hours: readonly (number | null)[], now: Date): number | null {
  if (hours.every((each) => each === null)) return null;
  const hour = now.getHours();
  const whole = hours.slice(0, hour).reduce<number>((sum, each) => sum + (each ?? 0), 0);
  return whole + ((hours[hour] ?? 0) * now.getMinutes()) / 60;
}

/** "+6 %", or the plain difference of small numbers, of which percents say nothing. */
export function compared(count: number, normal: number | null, percent: (value: number) => string): string {
  if (normal === null) return "–";
  const apart = count - Math.round(normal);
  if (normal < 20) return apart > 0 ? `+${apart}` : apart < 0 ? `−${-apart}` : "0";
  return percent(count / normal - 1);
}
