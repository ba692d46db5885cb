/** A form drawn from the schema: groups of fields, those for experts folded away. */
import { Plural, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { Icon } from "../base/Icon.tsx";
import { useForm } from "./context.ts";
import { FieldRow } from "./FieldRow.tsx";
import type { Field, Group } from "./fields.ts";
import css from "./Form.module.css";

export function Form({ groups, show }: { groups: readonly Group[]; show?: string | undefined }) {
  return (
    <div className={css.form}>
      {groups.map((group) => (
        <FormGroup key={group.path} group={group} show={show} alone={groups.length === 1 && !group.help} />
      ))}
    </div>
  );
}

/** `alone`: the tab has said already what it is about. */
function FormGroup({ group, show, alone }: { group: Group; show?: string | undefined; alone: boolean }) {
  const form = useForm();
  const plain = group.fields.filter((field) => !field.schema["x-advanced"]);
  const expert = group.fields.filter((field) => field.schema["x-advanced"]);
  const used = expert.some((field) => field.path in form.edits || field.path === show || form.faults[field.path]);
  const [chosen, setChosen] = useState<boolean | null>(null);
  const open = chosen ?? (used || !plain.length);
  return (
    <fieldset className={css.group}>
      {group.title && !alone && <legend>{group.title}</legend>}
      {group.help && <p className={css.about}>{group.help}</p>}
      <Rows fields={plain} show={show} />
      {expert.length > 0 && plain.length > 0 && (
        <button type="button" className={css.expert} aria-expanded={open} onClick={() => setChosen(!open)}>
          <Icon name={open ? "down" : "right"} />
          <Plural value={expert.length} one="# advanced setting" other="# advanced settings" />
        </button>
      )}
      {open && <Rows fields={expert} show={show} />}
    </fieldset>
  );
}

function Rows({ fields, show }: { fields: readonly Field[]; show?: string | undefined }) {
  return fields.map((field) => <FieldRow key={field.path} field={field} shown={field.path === show} />);
}

/** A note over a form that cannot be changed. */
export function ReadOnlyNote({ because }: { because: string }) {
  const { t } = useLingui();
  return (
    <p className={css.note}>
      <Icon name="lock" label={t`Cannot be changed`} /> {because}
    </p>
  );
}
