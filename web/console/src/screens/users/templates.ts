/** "From template": what one gives to a new user, each value to be taken out by its name. */
import type { RecordField, RecordSchema } from "@/api/schema.ts";
import { octets } from "@/parts/base/Moment.tsx";

export interface Template {
  readonly template: string;
  readonly [field: string]: unknown;
}

export interface Gift {
  /** The parameter by which it is left out. */
  readonly id: string;
  readonly title: string;
  readonly text: string;
}

/** Rights are given by a press of their own. */
export const BY_PRESS: readonly string[] = ["rights", "grant"];
/** The part that says for whom a template is, and gives nothing. */
const OFFER = "TemplateOffer";

export function giftsOf(template: Template, record: RecordSchema): readonly Gift[] {
  return record.parts
    .filter((part) => part.name !== OFFER)
    .flatMap((part) => part.fields)
    .filter((field) => says(field, template[field.shown]))
    .map((field) => ({
      id: field.parameter,
      title: field.title ?? field.parameter,
      text: words(field, template[field.shown]),
    }));
}

function says(field: RecordField, value: unknown): boolean {
  if (value === null || value === undefined || value === "") return false;
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "boolean") return value !== field.default;
  // A value that may be missing says something whatever it is: a score of 0 is "never".
  return !!field.anyOf || !["0", "none"].includes(String(value));
}

function words(field: RecordField, value: unknown): string {
  if (Array.isArray(value)) return value.join(", ");
  return field.format === "size" ? octets(Number(value)) : String(value);
}
