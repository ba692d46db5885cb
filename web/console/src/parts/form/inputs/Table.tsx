/** A list of sections, each with a name: routes, hosts. A line each, its fields in a row that unfolds. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { Button, IconButton } from "../../base/Button.tsx";
import { Icon } from "../../base/Icon.tsx";
import { current, useForm } from "../context.ts";
import { FieldRow } from "../FieldRow.tsx";
import { entryFields, entryKeys, type Field } from "../fields.ts";
import { written } from "../review.ts";
import type { ControlProps } from "./Control.tsx";
import css from "./inputs.module.css";

export function Table({ field, id, readOnly }: ControlProps) {
  const { t } = useLingui();
  const form = useForm();
  const [open, setOpen] = useState<string | null>(null);
  const [name, setName] = useState<string | null>(null);
  const gone = (key: string) => form.edits[`${field.path}[${key}]`] === null;
  const keys = entryKeys(field.path, [...Object.keys(form.values), ...Object.keys(form.edits)]);
  const label = field.schema.items?.["x-key"]?.title ?? t`Name`;

  const remove = (key: string) => {
    const at = `${field.path}[${key}]`;
    form.revert(Object.keys(form.edits).filter((path) => path.startsWith(`${at}/`)));
    if (entryKeys(field.path, Object.keys(form.values)).includes(key)) form.edit(at, null);
    setOpen(null);
  };
  const add = () => {
    const key = name?.trim() ?? "";
    setName(null);
    if (!key || keys.includes(key)) return setOpen(key || null);
    // An entry begins with its first field at its default, or empty where one has to say something.
    const first = entryFields(field, key)[0];
    if (first) form.edit(first.path, first.schema.default ?? "");
    return setOpen(key);
  };
  return (
    <div className={css.table}>
      {!keys.length && <p className="muted">{t`None`}</p>}
      {keys.map((key) => (
        <div key={key} data-gone={gone(key) || undefined}>
          <div className={css.entry}>
            <button type="button" aria-expanded={open === key} onClick={() => setOpen(open === key ? null : key)}>
              <Icon name={open === key ? "down" : "right"} />
              <b>{key}</b>
              <span className="muted ellipsis">
                {gone(key) ? t`will be removed` : <Summary fields={entryFields(field, key)} />}
              </span>
            </button>
            {!readOnly &&
              (gone(key) ? (
                <Button small kind="quiet" onClick={() => form.revert([`${field.path}[${key}]`])}>
                  <Trans>Keep</Trans>
                </Button>
              ) : (
                <IconButton icon="trash" label={t`Remove ${key}`} onClick={() => remove(key)} />
              ))}
          </div>
          {open === key && !gone(key) && (
            <div className={css.fields}>
              {entryFields(field, key).map((each) => (
                <FieldRow key={each.path} field={each} shown={false} />
              ))}
            </div>
          )}
        </div>
      ))}
      {!readOnly &&
        (name === null ? (
          <Button small icon="plus" id={id} onClick={() => setName("")}>
            <Trans>Add</Trans>
          </Button>
        ) : (
          <div className={css.unit}>
            <input
              className={css.text}
              aria-label={label}
              placeholder={label}
              value={name}
              autoFocus
              onChange={(event) => setName(event.target.value)}
              onKeyDown={(event) => {
                if (event.key === "Enter") add();
                else if (event.key === "Escape") setName(null);
                else return;
                event.preventDefault();
                event.stopPropagation();
              }}
            />
            <Button small onClick={add}>
              <Trans>Add</Trans>
            </Button>
          </div>
        ))}
    </div>
  );
}

/** What differs from the defaults. */
function Summary({ fields }: { fields: readonly Field[] }) {
  const form = useForm();
  return fields
    .filter((field) => field.widget !== "secret")
    .map((field) => ({ field, value: current(form, field.path, field.schema.default ?? "") }))
    .filter(({ field, value }) => written(value) !== written(field.schema.default ?? ""))
    .map(({ field, value }) => `${field.title}: ${written(value)}`)
    .join(" · ");
}
