/** Times as people say them, with the exact one on hover; sizes and numbers in the language of the page. */
import { i18n } from "@lingui/core";
import { useLingui } from "@lingui/react/macro";

const DAY = 86_400_000;

/** How dates are written: as where the browser is at home, if that is in the language of the page. */
function locale(): string {
  const own = navigator.languages.find((tag) => tag.startsWith(i18n.locale) && tag.length > 2 && tag !== "en-US");
  return own ?? (i18n.locale === "en" ? "en-GB" : i18n.locale);
}

type Form = "clock" | "weekday" | "day" | "year" | "exact";
const CLOCK: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const FORMS: Record<Form, Intl.DateTimeFormatOptions> = {
  clock: CLOCK,
  weekday: { ...CLOCK, weekday: "short" },
  day: { day: "numeric", month: "short" },
  year: { day: "numeric", month: "short", year: "numeric" },
  exact: { dateStyle: "full", timeStyle: "long" },
};
/** A formatter takes longer to make than a row of a list to draw. */
const made = new Map<string, Intl.DateTimeFormat>();

function format(at: Date, form: Form): string {
  const key = `${i18n.locale} ${form}`;
  const known = made.get(key) ?? new Intl.DateTimeFormat(locale(), FORMS[form]);
  made.set(key, known);
  return known.format(at);
}

/** "14:19", "Fri 17:40", "2 Sep", "2 Sep 2024": the shorter the nearer. */
export function shortTime(at: Date, now = new Date()): string {
  if (at.toDateString() === now.toDateString()) return format(at, "clock");
  if (Math.abs(at.getTime() - now.getTime()) < 6 * DAY) return format(at, "weekday");
  return format(at, at.getFullYear() === now.getFullYear() ? "day" : "year");
}

export function exactTime(at: Date): string {
  return format(at, "exact");
}

/** A moment of the server (RFC 3339), or never. */
export function Moment({ at, never }: { at: string | null | undefined; never?: string }) {
  const { t } = useLingui();
  if (!at) return <span className="muted">{never ?? t`never`}</span>;
  const date = new Date(at);
  return (
    <time dateTime={at} title={`${exactTime(date)}\n${at}`}>
      {shortTime(date)}
    </time>
  );
}

const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** "1.2 MB"; binary steps, as the server counts. */
export function octets(count: number): string {
  let unit = 0;
  let value = count;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 10 ? 0 : 1;
  return `${i18n.number(value, { maximumFractionDigits: digits, minimumFractionDigits: digits })} ${UNITS[unit]}`;
}

export function number(count: number): string {
  return i18n.number(count);
}

/** "2 h 35 min", "3 days": how long, from seconds. */
export function span(seconds: number): string {
  const unit = (value: number, name: string) =>
    new Intl.NumberFormat(locale(), {
      style: "unit",
      unit: name,
      unitDisplay: "short",
      maximumFractionDigits: 0,
    }).format(value);
  if (seconds < 60) return unit(Math.floor(seconds), "second");
  if (seconds < 3600) return unit(Math.floor(seconds / 60), "minute");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (hours < 24) return minutes ? `${unit(hours, "hour")} ${unit(minutes, "minute")}` : unit(hours, "hour");
  return unit(Math.floor(hours / 24), "day");
}
