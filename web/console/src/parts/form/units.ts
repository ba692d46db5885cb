/** Sizes, durations and numbers as people and the server write them: 50M, 4h, 1.5. Source: core/values.py. */

const SIZE = /^(\d{1,15})\s*([KMGT]?)(?:i?B)?$/i;
const STEPS: Record<string, number> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
/** What the server counts at most, 4 EiB. */
const LARGEST = 2 ** 62;
const DURATION = /^(\d{1,12}(?:\.\d{1,6})?)\s*(ms|s|min|m|h|d|w)?$/i;
const SECONDS: Record<string, number> = { ms: 0.001, s: 1, m: 60, min: 60, h: 3600, d: 86_400, w: 604_800 };
const NUMBER = /^[+-]?\d{1,15}(?:\.\d{1,9})?$/;

/** Bytes; null if it is no size. */
export function parseSize(text: string): number | null {
  const match = SIZE.exec(text.trim());
  const bytes = match ? Number(match[1]) * (STEPS[match[2]?.toUpperCase() ?? ""] ?? 1) : null;
  return bytes !== null && bytes <= LARGEST ? bytes : null;
}

/** Seconds; null if it is no duration. */
export function parseDuration(text: string): number | null {
  const match = DURATION.exec(text.trim());
  return match ? Number(match[1]) * (SECONDS[match[2]?.toLowerCase() ?? "s"] ?? 1) : null;
}

/** Null if it is no number. Neither `0x10` nor `1,000`, of which nobody knows whether it is one or a thousand. */
export function parseNumber(text: string): number | null {
  return NUMBER.test(text.trim()) ? Number(text) : null;
}

/** `1.5G` or `1,5 GB` in whole numbers, as a size is written: `1536M`; empty if that is not what it is. */
export function wholeSize(text: string): string {
  const match = /^(\d{1,9})[.,](\d{1,3})\s*([KMGT])(?:i?B)?$/i.exec(text.trim());
  const step = STEPS[match?.[3]?.toUpperCase() ?? ""];
  if (!match || step === undefined) return "";
  const smaller = Math.round((Number(`${match[1]}.${match[2]}`) * step) / (step / 1024));
  return smaller ? `${smaller}${{ K: "", M: "K", G: "M", T: "G" }[match[3]?.toUpperCase() ?? ""] ?? ""}` : "";
}

export interface Amount {
  /** As it was typed. */
  readonly typed: string;
  /** Chosen beside it: for what is typed without a unit. */
  readonly unit: string;
}

/** A kind of value that is a number and a unit. */
export interface Measure {
  readonly split: (text: string) => Amount | null;
  readonly zero: string;
}

export const SIZES: Measure = {
  split: (text) => {
    const match = parseSize(text) === null ? null : SIZE.exec(text.trim());
    return match && { typed: match[1] ?? "", unit: match[2]?.toUpperCase() ?? "" };
  },
  zero: "0",
};

export const DURATIONS: Measure = {
  split: (text) => {
    const match = DURATION.exec(text.trim());
    const unit = match?.[2]?.toLowerCase() ?? "s";
    return match && unit !== "ms" ? { typed: match[1] ?? "", unit: unit === "min" ? "m" : unit } : null;
  },
  zero: "0s",
};

const PLAIN = /^\d+(\.\d+)?$/;
const FRACTION = /^\d+[.,]\d+$/;

/** What a field with a unit beside it means. What is no amount stays as it was typed: it is complained of, and never
 * made into something else by a unit behind it. */
export function meant({ typed, unit }: Amount, measure: Measure): string {
  const text = typed.trim();
  if (PLAIN.test(text) || FRACTION.test(text)) {
    const whole = Number(text) === 0 ? measure.zero : `${text}${unit}`;
    return Number(text) === 0 || measure.split(whole) || FRACTION.test(text) ? whole : text;
  }
  const split = measure.split(text);
  if (!split) return text;
  return Number(split.typed) === 0 ? measure.zero : `${split.typed}${split.unit}`;
}
