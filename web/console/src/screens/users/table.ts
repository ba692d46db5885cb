/** What the server says of a table of users before it is taken. */
import { ApiError } from "@shared/errors.ts";

export interface Imported {
  readonly added: number;
  readonly changed: number;
  readonly skipped: readonly string[];
  readonly text: string;
}

export interface LineFault {
  /** 0: of the file as a whole. */
  readonly line: number;
  readonly text: string;
}

/** What is wrong, in the order of the lines; `more` that the server did not name one by one. */
export function faultsIn(error: unknown): { readonly faults: readonly LineFault[]; readonly more: number } {
  if (!(error instanceof ApiError)) return { faults: [{ line: 0, text: String(error) }], more: 0 };
  const faults = error.fields.map(({ name, text }) => ({ line: lineOf(name), text }));
  if (!faults.length) return { faults: [{ line: 0, text: error.message }], more: 0 };
  const more = Number(/\band (\d+) more\s*$/.exec(error.message)?.[1] ?? 0);
  return { faults: faults.toSorted((a, b) => a.line - b.line), more };
}

/** Lines that were left out, as the server says them: `line 3: has no address`. */
export function skippedIn(skipped: readonly string[]): readonly LineFault[] {
  return skipped.map((each) => {
    const [name = "", ...rest] = each.split(": ");
    return rest.length && lineOf(name) ? { line: lineOf(name), text: rest.join(": ") } : { line: 0, text: each };
  });
}

const lineOf = (name: string): number => Number(/^line (\d+)$/.exec(name)?.[1] ?? 0);

/** Rows below the heading, for a first impression; the server reads it whole. */
export function rowsOf(text: string): number {
  return Math.max(0, text.split(/\r?\n/).filter((line) => line.trim() !== "").length - 1);
}
