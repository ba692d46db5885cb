/** What a page of settings is drawn from: its groups, and its edits. A screen that has its settings on a tab uses it too. */
import { useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import { useSchema } from "@/api/schema.ts";
import { me, mayChange } from "@/api/session.ts";
import { useSettings } from "@/api/settings.ts";
import { useStore } from "@/api/store.ts";
import { type Field, type Group, groupsOf } from "@/parts/form/fields.ts";
import type { EditorForm } from "@/parts/form/useEditor.ts";
import { pageOf } from "./pages.ts";
import { useSettingsForm } from "./useSettingsForm.ts";

export interface SettingsOf {
  readonly form: EditorForm;
  /** Of all pages: `groupsIn` takes those of one tab. */
  readonly groups: readonly Group[];
  /** Of this page. */
  readonly fields: readonly Field[];
  readonly ready: boolean;
  readonly error: unknown;
  readonly again: () => void;
}

export function useSettingsPage(page: string | undefined): SettingsOf {
  const { t } = useLingui();
  const who = useStore(me);
  const schema = useSchema();
  const settings = useSettings();
  const groups = useMemo(() => (schema.data ? groupsOf(schema.data.settings) : []), [schema.data]);
  const fields = useMemo(
    () => groups.flatMap((group) => group.fields).filter((field) => pageOf(field.path) === page),
    [groups, page],
  );
  const readOnly = mayChange(who, "server") ? "" : t`You may look, but not change settings of the server.`;
  const form = useSettingsForm(settings.data, fields, readOnly);
  return {
    form,
    groups,
    fields,
    ready: !!schema.data && !!settings.data,
    error: schema.error ?? settings.error,
    again: () => void Promise.all([schema.refetch(), settings.refetch()]),
  };
}
