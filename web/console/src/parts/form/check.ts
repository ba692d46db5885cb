/** What is plainly wrong with a value, before the server is asked, which decides. The subset of JSON Schema that our
 * declarations use; no general validator, since those compile code, which the CSP forbids. */
import { t } from "@lingui/core/macro";
import type { Schema } from "@/api/schema.ts";
import { bare } from "./fields.ts";
import { parseDuration, parseNumber, parseSize, wholeSize } from "./units.ts";

const IPV4 = /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/;
const HOST = /^(?=.{1,253}$)([a-z0-9_]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9_]([a-z0-9-]{0,61}[a-z0-9])?\.?$/i;

function isIPv6(text: string): boolean {
  if (!/^[0-9a-f:.]{2,45}$/i.test(text) || text.split("::").length > 2 || text.includes(":::")) return false;
  const parts = text.split(":");
  const tail = parts.at(-1) ?? "";
  const mapped = tail.includes(".");
  if (mapped && !IPV4.test(tail)) return false;
  const words = (mapped ? parts.slice(0, -1) : parts).filter(Boolean);
  if (words.some((word) => word.length > 4)) return false;
  const count = words.length + (mapped ? 2 : 0);
  return text.includes("::") ? count < 8 : count === 8;
}

export const isAddress = (text: string): boolean => IPV4.test(text) || isIPv6(text);

function isNetwork(text: string): boolean {
  const [address = "", bits, more] = text.split("/");
  if (more !== undefined || !isAddress(address)) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (address.includes(":") ? 128 : 32));
}

/** `*:25`, `192.0.2.1:25`, `[2001:db8::1]:25`, `localhost:25`. */
function isHostPort(text: string): boolean {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  if (!match || Number(match[3]) > 65_535) return false;
  return match[1] === undefined
    ? match[2] === "*" || HOST.test(match[2] ?? "") || IPV4.test(match[2] ?? "")
    : isIPv6(match[1]);
}

/** Empty if it is right; a check of what one types must be shorter than the server's, and never stricter. */
const FORMATS: Record<string, (text: string) => string> = {
  size: (text) => {
    if (parseSize(text) !== null) return "";
    const whole = wholeSize(text);
    return whole ? t`Whole numbers only: write ${whole}` : t`"${text}" is no size: write a whole number such as 50M`;
  },
  duration: (text) => (parseDuration(text) === null ? durationFault(text) : ""),
  ip: (text) => (isAddress(text) ? "" : t`An IP address such as 192.0.2.1`),
  cidr: (text) => (isNetwork(text) ? "" : t`An address or a network such as 192.0.2.0/24`),
  hostport: (text) => (isHostPort(text) ? "" : t`Address and port, such as *:25 or 192.0.2.1:25`),
  // A bare name is one of the record's domain.
  email: (text) => (/^("[^"]*"|[^\s@]+)(@[^\s@]+)?$/.test(text) ? "" : t`An address such as anna@example.org`),
};

function durationFault(text: string): string {
  const dotted = text.replace(",", ".");
  return parseDuration(dotted) === null
    ? t`"${text}" is no duration: write a number such as 30s, 15m, 4h or 5d`
    : t`Decimals are written with a point: ${dotted}`;
}

/** A sentence of what is wrong; empty if nothing is. */
export function fault(declared: Schema, value: unknown): string {
  const schema = bare(declared);
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map((each) => fault(schema.items ?? {}, each)).find(Boolean) ?? "";
  if (schema.type === "integer" || schema.type === "number") return numberFault(schema, value);
  if (value === "" && schema === declared && (schema.format === "size" || schema.format === "duration")) {
    return t`A number must stand here`;
  }
  if (typeof value === "string") return textFault(schema, value);
  return "";
}

function numberFault(schema: Schema, value: unknown): string {
  const number = typeof value === "number" ? value : parseNumber(String(value));
  if (number === null) return notNumber(String(value), schema.type === "integer");
  if (schema.type === "integer" && !Number.isInteger(number)) return t`A whole number`;
  const { minimum, maximum } = schema;
  if (minimum !== undefined && number < minimum) return t`At least ${minimum}`;
  if (maximum !== undefined && number > maximum) return t`At most ${maximum}`;
  return "";
}

function notNumber(text: string, whole: boolean): string {
  if (text.trim() === "") return t`A number must stand here`;
  if (whole) return t`"${text}" is no whole number`;
  const dotted = text.replace(",", ".");
  return /^-?\d+,\d+$/.test(text.trim()) ? t`Decimals are written with a point: ${dotted}` : t`"${text}" is no number`;
}

function textFault(schema: Schema, text: string): string {
  if (schema.enum && !schema.enum.includes(text)) return t`One of ${schema.enum.join(", ")}`;
  const { minLength, maxLength } = schema;
  if (minLength !== undefined && text.length < minLength) return t`At least ${minLength} characters`;
  if (maxLength !== undefined && text.length > maxLength) return t`At most ${maxLength} characters`;
  if (text === "") return "";
  if (schema.pattern !== undefined && !matches(schema.pattern, text)) {
    const like = schema["x-like"];
    return like ? t`This must be ${like}` : t`This does not have the required form`;
  }
  return (schema.format === undefined ? "" : (FORMATS[schema.format]?.(text) ?? "")) || boundFault(schema, text);
}

/** A pattern of Python that a browser does not understand is the server's to check. */
function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    return true;
  }
}

function boundFault(schema: Schema, text: string): string {
  const parse = { size: parseSize, duration: parseDuration }[schema.format ?? ""];
  const now = parse?.(text) ?? null;
  if (!parse || now === null) return "";
  const least = schema["x-minimum"];
  const most = schema["x-maximum"];
  if (least !== undefined && now < (parse(least) ?? 0)) return t`At least ${least}`;
  if (most !== undefined && now > (parse(most) ?? Infinity)) return t`At most ${most}`;
  return "";
}
