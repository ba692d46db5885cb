/** Sizes and durations as people and the server write them: 50M, 4h. Source: core/values.py. */

const SIZE = /^(\d{1,15})\s*([KMGT]?)i?B?$/i;
const STEPS: Record<string, number> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
const DURATION = /^(\d{1,9}(?:\.\d+)?)\s*(s|m|h|d|w)?$/i;
const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Bytes; null if it is no size. */
export function parseSize(text: string): number | null {
  const match = SIZE.exec(text.trim());
  return match ? Number(match[1]) * (STEPS[match[2]?.toUpperCase() ?? ""] ?? 1) : null;
}

/** Seconds; null if it is no duration. */
export function parseDuration(text: string): number | null {
  const match = DURATION.exec(text.trim());
  return match ? Number(match[1]) * (SECONDS[match[2]?.toLowerCase() ?? "s"] ?? 1) : null;
}

/** "50", "M": for a field and the unit beside it. */
export function splitSize(text: string): [string, string] {
  const match = SIZE.exec(text.trim());
  return match ? [match[1] ?? "", match[2]?.toUpperCase() ?? ""] : [text, ""];
}

export function splitDuration(text: string): [string, string] {
  const match = DURATION.exec(text.trim());
  return match ? [match[1] ?? "", match[2]?.toLowerCase() ?? "s"] : [text, "s"];
}
