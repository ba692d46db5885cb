/** Edits of settings, kept among all drafts, and how they are saved. */
import { useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { run } from "@/api/admin.ts";
import { changeSettings, type Read, readSettings } from "@/api/settings.ts";
import { useStore } from "@/api/store.ts";
import { waitForRestart } from "@/app/restarts.ts";
import { drafts, edited, type Edits, without } from "@/parts/form/drafts.ts";
import type { Field } from "@/parts/form/fields.ts";
import { conflicts } from "@/parts/form/review.ts";
import { type EditorForm, useEditor } from "@/parts/form/useEditor.ts";

const NONE: Read = { values: {}, version: "" };

/** The field that a path belongs to; of an entry of a table the table. */
const owner = (path: string) => path.replace(/\[.*$/, "");

export function useSettingsForm(read: Read = NONE, fields: readonly Field[], readOnly: string): EditorForm {
  const queries = useQueryClient();
  const all = useStore(drafts);
  const own = useMemo(() => new Set(fields.map((field) => field.path)), [fields]);
  const edits: Edits = useMemo(
    () => Object.fromEntries(Object.entries(all).filter(([path]) => own.has(owner(path)))),
    [all, own],
  );
  return useEditor({
    values: read.values,
    fields,
    edits,
    readOnly,
    settings: true,
    edit: (path, value) => drafts.set(edited(drafts.get(), path, value, read.values[path]?.value)),
    revert: (paths) => drafts.set(without(drafts.get(), paths)),
    check: async () => (await changeSettings(edits, { version: read.version, check: true })).warnings,
    save: async (confirm) => {
      const answer = await changeSettings(edits, { version: read.version, ...(confirm ? { confirm } : {}) });
      waitForRestart(answer.result?.restart ?? []);
      drafts.set(without(drafts.get(), Object.keys(edits)));
      await queries.invalidateQueries({ queryKey: ["settings"] });
      return answer.warnings;
    },
    takeFile: async () => {
      await run("config", "reload", {});
      queries.setQueryData(["settings"], await readSettings());
    },
    reread: async () => {
      const now = await readSettings();
      const found = conflicts(edits, read.values, now.values);
      queries.setQueryData(["settings"], now);
      return found;
    },
  });
}
