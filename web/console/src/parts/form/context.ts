/** What the rows of a form share. */
import { createContext, useContext } from "react";
import type { Values } from "@/api/settings.ts";
import type { Edits } from "./drafts.ts";

export interface FormState {
  /** As the server has it. */
  readonly values: Values;
  readonly edits: Edits;
  readonly edit: (path: string, value: unknown) => void;
  /** Takes edits back. */
  readonly revert: (paths: readonly string[]) => void;
  /** What the server said of a path, or what is plainly wrong. */
  readonly faults: Readonly<Record<string, string>>;
  /** Why nothing can be changed; empty if it can. */
  readonly readOnly: string;
  /** Settings have a line in a file, a default and a command; values of records do not. */
  readonly settings: boolean;
}

export const FormContext = createContext<FormState | null>(null);

export function useForm(): FormState {
  const state = useContext(FormContext);
  if (!state) throw new Error("a field stands outside of a form");
  return state;
}

/** As it would be after saving. */
export function current(form: Pick<FormState, "values" | "edits">, path: string, initial: unknown): unknown {
  const edited = form.edits[path];
  if (path in form.edits) return edited === null ? initial : edited;
  return form.values[path]?.value ?? initial;
}
