/** A form over a record (user, domain, alias, group), saved by the `set` of its noun. */
import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { readVersion, run } from "@/api/admin.ts";
import type { SettingValue, Values } from "@/api/settings.ts";
import { edited, type Edits, without } from "./drafts.ts";
import type { Group } from "./fields.ts";
import { conflicts } from "./review.ts";
import { type EditorForm, useEditor } from "./useEditor.ts";

type View = Readonly<Record<string, unknown>>;

interface Options {
  readonly noun: string;
  readonly name: string;
  readonly groups: readonly Group[];
  /** What `show` answered, and its version. */
  readonly view: View;
  readonly version: string;
  readonly readOnly: string;
  readonly onSaved: () => void;
}

export function useRecordForm({ noun, name, groups, view, version, readOnly, onSaved }: Options): EditorForm {
  const queries = useQueryClient();
  const [edits, setEdits] = useState<Edits>({});
  const fields = useMemo(() => groups.flatMap((group) => group.fields), [groups]);
  const values = useMemo(() => valuesOf(fields, view), [fields, view]);
  const body = () => ({ name, ...edits });
  return useEditor({
    values,
    fields,
    edits,
    readOnly,
    settings: false,
    edit: (path, value) => setEdits((before) => edited(before, path, value, values[path]?.value)),
    revert: (paths) => setEdits((before) => without(before, paths)),
    check: async () => (await run(noun, "set", body(), { check: true, ifMatch: version })).warnings,
    save: async (confirm) => {
      const answer = await run(noun, "set", body(), { ifMatch: version, confirm });
      setEdits({});
      await queries.invalidateQueries({ queryKey: [noun, "show", name] });
      onSaved();
      return answer.warnings;
    },
    reread: async () => {
      const now = await readVersion<View>(noun, "show", { name });
      queries.setQueryData([noun, "show", name], now);
      return conflicts(edits, values, valuesOf(fields, now.result));
    },
  });
}

/** Sizes come as numbers of octets, and are written as people write them. */
function natural(format: string | undefined, value: unknown): unknown {
  if (format !== "size" || typeof value !== "number") return value ?? null;
  const step = [..."TGMK"].find((_, at) => value && value % 1024 ** (4 - at) === 0);
  return step ? `${value / 1024 ** (4 - "TGMK".indexOf(step))}${step}` : String(value);
}

function valuesOf(fields: Group["fields"], view: View): Values {
  return Object.fromEntries(
    fields.map((field): [string, SettingValue] => {
      const shown = (field.schema as { shown?: string }).shown ?? field.path;
      const value = natural(field.schema.format, view[shown] ?? view[field.path]);
      return [field.path, { value: value ?? field.schema.default ?? null, set: true }];
    }),
  );
}
