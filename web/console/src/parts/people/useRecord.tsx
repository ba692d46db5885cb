/** A record and the schema that its form is drawn from. */
import { useQuery } from "@tanstack/react-query";
import { readVersion } from "@/api/admin.ts";
import { type RecordSchema, useSchema } from "@/api/schema.ts";
import type { Query } from "@shared/http.ts";

interface Loaded<V> {
  readonly view: V;
  readonly version: string;
  readonly record: RecordSchema;
}

export function useRecord<V>(
  noun: "domain" | "user" | "alias" | "group" | "template",
  name: string,
  more: Query = {},
): { loaded: Loaded<V> | null; error: unknown; retry: () => void } {
  const schema = useSchema();
  const shown = useQuery({
    queryKey: [noun, "show", name],
    queryFn: ({ signal }) => readVersion<V>(noun, "show", { name, ...more }, signal),
  });
  const record = schema.data?.records[noun];
  return {
    loaded: shown.data && record ? { view: shown.data.result, version: shown.data.version, record } : null,
    error: shown.error ?? schema.error,
    retry: () => void shown.refetch(),
  };
}
