/** Values of settings: read with a version, changed together. */
import type { Answer } from "@shared/http.ts";
import { useQuery } from "@tanstack/react-query";
import { http } from "./session.ts";

export interface SettingValue {
  /** Null: a secret, which nobody is shown, or no value. */
  readonly value: unknown;
  /** Whether the file has it. */
  readonly set: boolean;
  /** Of a secret what anyone may see, such as the host of a URL. */
  readonly shown?: string;
}

export type Values = Readonly<Record<string, SettingValue>>;

interface WireValue {
  value?: unknown;
  source?: "file" | "default";
  default?: boolean;
  set?: boolean;
  shown?: string;
}

interface WireValues {
  values: Record<string, WireValue>;
}

const given = (each: WireValue): SettingValue => ({
  value: each.value ?? null,
  set: each.set ?? (each.source ? each.source === "file" : each.default === false),
  ...(each.shown ? { shown: each.shown } : {}),
});

export interface Read {
  readonly values: Values;
  readonly version: string;
}

export async function readSettings(signal?: AbortSignal): Promise<Read> {
  const { result, version } = await http.call<WireValues>("GET", "/api/admin/settings", { signal });
  const values = Object.fromEntries(Object.entries(result.values).map(([path, each]) => [path, given(each)]));
  return { values, version };
}

export const useSettings = () =>
  useQuery({ queryKey: ["settings"], queryFn: ({ signal }) => readSettings(signal), staleTime: 30_000 });

export interface Changed {
  readonly paths?: readonly string[];
  /** Those that wait for a restart. */
  readonly restart?: readonly string[];
  readonly text?: string;
}

/** Null in `values`: the default. ApiError 412: somebody else changed settings since `version`; 409: the file was edited. */
export async function changeSettings(
  values: Readonly<Record<string, unknown>>,
  { version, check, confirm }: { version: string; check?: boolean; confirm?: string },
): Promise<Answer<Changed>> {
  return http.call<Changed>("PATCH", "/api/admin/settings", {
    body: values,
    query: { check: check ? 1 : null, confirm },
    ifMatch: version,
  });
}
