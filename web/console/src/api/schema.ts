/** What the server tells of itself: settings, records and calls, from its own declarations. */
import { useLingui } from "@lingui/react";
import { useQuery } from "@tanstack/react-query";
import { declared } from "./said.ts";
import { http } from "./session.ts";

export type Json = string | number | boolean | null | readonly string[];

/** A setting, a section of settings, or a list of sections, as JSON Schema 2020-12 with our `x-` words. */
export interface Schema {
  readonly type?: "string" | "integer" | "number" | "boolean" | "array" | "object";
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly (string | number)[];
  readonly anyOf?: readonly Schema[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly "x-path"?: string;
  readonly "x-minimum"?: string;
  readonly "x-maximum"?: string;
  readonly "x-like"?: string;
  readonly "x-unit"?: string;
  readonly "x-group"?: string;
  readonly "x-order"?: number;
  readonly "x-advanced"?: boolean;
  readonly "x-show-if"?: string;
  readonly "x-enable-if"?: string;
  readonly "x-ref"?: string;
  readonly "x-secret"?: boolean;
  readonly "x-applies"?: "now" | "restart" | "service";
  readonly "x-danger"?: { readonly text: string; readonly confirm: string; readonly values: readonly string[] };
  readonly "x-check"?: string;
  readonly "x-list"?: "ordered";
  readonly "x-item"?: string;
  readonly "x-columns"?: readonly string[];
  readonly "x-key"?: { readonly name: string; readonly title: string; readonly description?: string };
  readonly "x-mission"?: string;
  readonly "x-since"?: string;
  readonly "x-docs"?: string;
}

export interface RecordField extends Schema {
  /** Its name in calls. */
  readonly parameter: string;
  /** Its name in what calls answer. */
  readonly shown: string;
  readonly listed: boolean;
  /** `own-call`: by a verb of its own, not by `set`. */
  readonly "changed-by": string;
}

export interface RecordSchema {
  readonly plural: string;
  readonly help: string;
  readonly name: Schema;
  readonly parts: readonly {
    readonly name: string;
    readonly description: string;
    readonly fields: readonly RecordField[];
  }[];
}

export interface CallSchema {
  readonly noun: string;
  readonly verb: string;
  readonly help: string;
  readonly path: string;
  readonly reads: boolean;
  readonly right: string;
  readonly parameters: Schema;
}

export interface ConsoleSchema {
  readonly settings: Schema;
  readonly records: Readonly<Record<string, RecordSchema>>;
  readonly calls: readonly CallSchema[];
}

async function fetchSchema(): Promise<ConsoleSchema> {
  const response = await http.send("GET", "/api/admin/schema");
  const body = (await response.json()) as ConsoleSchema | { result: ConsoleSchema };
  return "result" in body ? body.result : body;
}

let fetched: Promise<ConsoleSchema> | null = null;

/** The schema, fetched once. ApiError. */
export function schema(): Promise<ConsoleSchema> {
  fetched ??= fetchSchema().catch((error: unknown) => {
    fetched = null;
    throw error;
  });
  return fetched;
}

/** Whether a call takes this parameter: a console may be newer than the server behind it. */
export async function takes(noun: string, verb: string, parameter: string): Promise<boolean> {
  const { calls } = await schema();
  const call = calls.find((each) => each.noun === noun && each.verb === verb);
  return !call || parameter in (call.parameters.properties ?? {});
}

/** In the language that is read. It changes with that and with the version of the server only. */
export function useSchema() {
  const { i18n } = useLingui();
  return useQuery({
    queryKey: ["schema", i18n.locale],
    queryFn: async () => declared(await schema()),
    placeholderData: (before) => before,
    staleTime: Infinity,
    gcTime: Infinity,
  });
}
