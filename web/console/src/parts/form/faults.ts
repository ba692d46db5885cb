/** What the server says is wrong with a small form. */
import { ApiError } from "@shared/errors.ts";

/** Refusals by the field that they are about; what is about none under "". */
export function faultsOf(error: unknown, fields: readonly { readonly name: string }[]): Record<string, string> {
  const faults: Record<string, string> = {};
  for (const fault of error instanceof ApiError ? error.fields : []) {
    const name = fault.name.replace(/^-+/, "").replaceAll("-", "_").split(/[./]/)[0] ?? "";
    const known = fields.some((field) => field.name === name) ? name : "";
    faults[known] = faults[known] ? `${faults[known]} ${fault.text}` : fault.text;
  }
  if (!Object.keys(faults).length) faults[""] = error instanceof Error ? error.message : String(error);
  return faults;
}
