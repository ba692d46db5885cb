/** Saving what a form holds: checks, refusals that land on their fields, words to be typed, changes by others. */
import { ApiError } from "@shared/errors.ts";
import { useLingui } from "@lingui/react/macro";
import { useMemo, useState } from "react";
import { toast } from "@/api/operations.ts";
import type { Values } from "@/api/settings.ts";
import { fault } from "./check.ts";
import type { FormState } from "./context.ts";
import type { Edits } from "./drafts.ts";
import { entryFields, type Field } from "./fields.ts";
import { type Conflict, fromFile, fromServer } from "./review.ts";

export interface Editing {
  readonly values: Values;
  readonly fields: readonly Field[];
  readonly edits: Edits;
  readonly readOnly: string;
  readonly settings: boolean;
  edit(path: string, value: unknown): void;
  revert(paths: readonly string[]): void;
  /** Asks the server without changing anything; its warnings. ApiError. */
  check(): Promise<readonly string[]>;
  /** Warnings. ApiError. */
  save(confirm: string): Promise<readonly string[]>;
  /** Takes the file as somebody edited it into use. */
  takeFile?(): Promise<void>;
  /** Reads what is so now, and tells what we and others have both changed. */
  reread(): Promise<readonly Conflict[]>;
}

export interface EditorForm {
  readonly state: FormState;
  readonly fields: readonly Field[];
  readonly busy: boolean;
  /** A refusal that belongs to no field. */
  readonly refusal: string;
  /** Words that the server wants typed, and why. */
  readonly confirm: { readonly words: string; readonly text: string } | null;
  readonly conflicts: readonly Conflict[] | null;
  /** The conflict is with a file that was edited, and is not in use yet. */
  readonly outside: boolean;
  readonly warnings: readonly string[];
  readonly save: (confirm?: string) => Promise<void>;
  readonly check: () => Promise<void>;
  readonly discard: () => void;
  readonly dismiss: () => void;
  readonly takeFile: () => Promise<void>;
  /** Keeps ours, or takes theirs, for one setting of a conflict. */
  readonly decide: (path: string, ours: boolean) => void;
}

interface Told {
  faults: Readonly<Record<string, string>>;
  refusal: string;
  confirm: EditorForm["confirm"];
  conflicts: readonly Conflict[] | null;
  outside: boolean;
  warnings: readonly string[];
}

const NOTHING: Told = { faults: {}, refusal: "", confirm: null, conflicts: null, outside: false, warnings: [] };

export function useEditor(editing: Editing): EditorForm {
  const { t } = useLingui();
  const [busy, setBusy] = useState(false);
  const [told, setTold] = useState<Told>(NOTHING);
  const { fields, edits, values } = editing;
  const plain = useMemo(() => plainFaults(fields, edits), [fields, edits]);

  const state: FormState = {
    values,
    edits,
    faults: { ...told.faults, ...plain },
    readOnly: editing.readOnly,
    settings: editing.settings,
    edit: (path, value) => {
      setTold((before) => ({ ...before, faults: omit(before.faults, path), refusal: "" }));
      editing.edit(path, value);
    },
    revert: (paths) => {
      setTold((before) => ({ ...before, faults: omit(before.faults, ...paths), refusal: "" }));
      editing.revert(paths);
    },
  };

  const refused = async (error: unknown): Promise<void> => {
    if (!(error instanceof ApiError)) {
      setTold({ ...NOTHING, refusal: String(error) });
    } else if (error.confirm) {
      setTold({ ...NOTHING, confirm: { words: error.confirm, text: error.message } });
    } else if (error.difference) {
      setTold({ ...NOTHING, conflicts: fromServer(error.difference) });
    } else if (error.differs.length) {
      setTold({ ...NOTHING, conflicts: fromFile(error.differs, edits), outside: true });
    } else if (error.status === 412) {
      await stale();
    } else {
      const known = Object.fromEntries(error.fields.map((each) => [pathOf(each, fields, edits), each.text]));
      const rest = Object.keys(known).length && !("" in known) ? "" : error.message;
      setTold({ ...NOTHING, faults: omit(known, ""), refusal: rest });
    }
  };

  /** Others changed something since we read. Where they changed other things, ours is simply saved after theirs. */
  const stale = async () => {
    const found = await editing.reread();
    if (found.length) setTold({ ...NOTHING, conflicts: found });
    else setTold({ ...NOTHING, refusal: t`Somebody else changed settings meanwhile, but none of yours. Save again.` });
  };

  const attempt = async (work: () => Promise<void>) => {
    if (busy || Object.keys(plain).length) return;
    setBusy(true);
    try {
      await work();
    } catch (error) {
      await refused(error).catch((further: unknown) => setTold({ ...NOTHING, refusal: String(further) }));
    } finally {
      setBusy(false);
    }
  };

  return {
    state,
    fields,
    busy,
    ...told,
    save: (confirm = "") =>
      attempt(async () => {
        const warnings = await editing.save(confirm);
        setTold({ ...NOTHING, warnings });
        toast(t`Saved`);
      }),
    check: () => attempt(async () => setTold({ ...NOTHING, warnings: await editing.check() })),
    takeFile: () =>
      attempt(async () => {
        await editing.takeFile?.();
        setTold({
          ...NOTHING,
          refusal: Object.keys(edits).length ? t`The file is in use now. Save your changes again.` : "",
        });
      }),
    discard: () => {
      setTold(NOTHING);
      editing.revert(Object.keys(edits));
    },
    dismiss: () => setTold((before) => ({ ...before, confirm: null, conflicts: null })),
    decide: (path, ours) => {
      if (!ours) editing.revert([path]);
      setTold((before) => ({ ...before, conflicts: before.conflicts?.filter((each) => each.path !== path) ?? null }));
    },
  };
}

function plainFaults(fields: readonly Field[], edits: Edits): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [path, value] of Object.entries(edits)) {
    const field = fieldOf(path, fields);
    const text = field && value !== null ? fault(field.schema, value) : "";
    if (text) found[path] = text;
  }
  return found;
}

/** The field of a path, entries of tables included. */
export function fieldOf(path: string, fields: readonly Field[]): Field | undefined {
  const direct = fields.find((field) => field.path === path);
  if (direct) return direct;
  const match = /^([^[]+)\[(.*)\]\/[^/]+$/.exec(path);
  const table = match && fields.find((field) => field.path === match[1]);
  return table ? entryFields(table, match?.[2] ?? "").find((field) => field.path === path) : undefined;
}

/** Where a fault of the server belongs; empty: to the whole. Names of options have dashes, parameters underscores. */
function pathOf(said: { name: string; pointer?: string }, fields: readonly Field[], edits: Edits): string {
  const pointed = said.pointer?.slice(1).replaceAll("~1", "/").replaceAll("~0", "~");
  const names = [pointed, said.name, said.name.replace(/^-+/, "").replaceAll("-", "_")].filter(
    (name) => name !== undefined,
  );
  return names.find((name) => name in edits || fieldOf(name, fields)) ?? "";
}

function omit<T>(map: Readonly<Record<string, T>>, ...names: string[]): Record<string, T> {
  const rest = { ...map };
  for (const name of names) delete rest[name];
  return rest;
}
