/** Events that people are told of. */
import { type Page, read } from "@/api/admin.ts";
import type { FormState } from "@/parts/form/context.ts";
import { entryFields, type Field } from "@/parts/form/fields.ts";

export interface AlertRow {
  readonly event: string;
  readonly title: string;
  /** quiet, going on, or off: nobody is told. */
  readonly state: string;
  /** Addresses and URL. */
  readonly to: readonly string[];
  readonly since: string | null;
  readonly sent: string | null;
  /** Of the last attempt. */
  readonly error: string;
  readonly text: string;
  /** Health checks that it tells of. */
  readonly checks: readonly string[];
}

export interface Alerts extends Page<AlertRow> {
  /** Health checks that nobody is told of. */
  readonly unheard: readonly string[];
}

export const alerts = (signal?: AbortSignal): Promise<Alerts> => read<Alerts>("alert", "list", {}, signal);

/** The settings of one event, which may not be in the file yet. */
export const fieldsOf = (event: string, fields: readonly Field[]): readonly Field[] => {
  const table = fields.find((field) => field.path === "alerts/event");
  return table ? entryFields(table, event) : [];
};

/** Whether an event has recipients, or a switch, of its own. */
export const hasOwn = (event: string, { values, edits }: Pick<FormState, "values" | "edits">): boolean =>
  [...Object.keys(values), ...Object.keys(edits)].some((path) => path.startsWith(`alerts/event[${event}]`));
