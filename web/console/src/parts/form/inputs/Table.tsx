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
import { Grip, moved, useOrder } from "./order.tsx";

export function Table({ field, id, readOnly }: ControlProps) {
  const { t } = useLingui();
  const form = useForm();
  const [open, setOpen] = useState<string | null>(null);
  const [name, setName] = useState<string | null>(null);
  const gone = (key: string) => form.edits[`${field.path}[${key}]`] === null;
  const known = entryKeys(field.path, [...Object.keys(form.values), ...Object.keys(form.edits)]);
  // The order that is to be is an edit of the list itself: the names of its entries.
  const wanted = form.edits[field.path];
  const places = Array.isArray(wanted) ? wanted.map(String) : [];
  const keys = [...places.filter((key) => known.includes(key)), ...known.filter((key) => !places.includes(key))];
  const staying = keys.filter((key) => !gone(key));
  const put = (names: readonly string[]) => {
    if (same(names, entryKeys(field.path, Object.keys(form.values)))) form.revert([field.path]);
    else form.edit(field.path, names);
  };
  const order = useOrder((from, to) => {
    const next = moved(staying, from, to);
    if (next) put(next);
  });
  const grips = field.schema["x-list"] === "ordered" && !readOnly && staying.length > 1;
  const [source, setSource] = useState("");
  const label = field.schema.items?.["x-key"]?.title ?? t`Name`;

  const remove = (key: string) => {
    const at = `${field.path}[${key}]`;
    form.revert(Object.keys(form.edits).filter((path) => path.startsWith(`${at}/`)));
    if (entryKeys(field.path, Object.keys(form.values)).includes(key)) form.edit(at, null);
    if (places.length) put(staying.filter((each) => each !== key));
    setOpen(null);
  };
  const cancel = () => {
    setName(null);
    setSource("");
  };
  const add = () => {
    const key = name?.trim() ?? "";
    const from = source;
    setName(null);
    setSource("");
    if (!key || keys.includes(key)) return setOpen(key || null);
    // An entry begins with its first field at its default, or empty where one has to say something.
    const fields = entryFields(field, key);
    if (fields[0]) form.edit(fields[0].path, fields[0].schema.default ?? "");
    if (from) {
      // Secrets are not known here, and are typed anew.
      for (const [at, each] of entryFields(field, from).entries()) {
        const value = current(form, each.path, each.schema.default ?? "");
        const to = fields[at];
        if (to && to.widget !== "secret" && written(value) !== written(each.schema.default ?? ""))
          form.edit(to.path, value);
      }
    }
    if (places.length) put([...staying, key]);
    return setOpen(key);
  };
  return (
    <div className={css.table}>
      {!keys.length && <p className="muted">{t`None`}</p>}
      {keys.map((key) => (
        <div key={key} data-gone={gone(key) || undefined} {...(grips ? order.row(staying.indexOf(key)) : {})}>
          <div className={css.entry}>
            <button type="button" aria-expanded={open === key} onClick={() => setOpen(open === key ? null : key)}>
              <Icon name={open === key ? "down" : "right"} />
              <b>{key}</b>
              <span className="muted ellipsis">
                {gone(key) ? t`will be removed` : <Summary fields={entryFields(field, key)} />}
              </span>
            </button>
            {grips && !gone(key) && <Grip name={key} at={staying.indexOf(key)} order={order} />}
            {!gone(key) && (
              <OnOff
                field={entryFields(field, key).find((each) => each.name === "enabled")}
                entry={key}
                readOnly={readOnly}
              />
            )}
            {!readOnly && !gone(key) && (
              <IconButton icon="copy" label={t`Copy ${key}`} onClick={() => (setSource(key), setName(""))} />
            )}
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
          <Button small icon="plus" id={id} aria-label={t`Add: ${field.title}`} onClick={() => setName("")}>
            <Trans>Add</Trans>
          </Button>
        ) : (
          <div className={css.unit}>
            <input
              className={css.text}
              aria-label={source ? t`Name of the copy of ${source}` : label}
              placeholder={source ? t`Name of the copy of ${source}` : label}
              value={name}
              autoFocus
              onChange={(event) => setName(event.target.value)}
              onKeyDown={(event) => {
                if (event.key === "Enter") add();
                else if (event.key === "Escape") cancel();
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

const same = (a: readonly string[], b: readonly string[]) => a.join("\n") === b.join("\n");

/** Where an entry can be switched off, that is done beside its name. */
function OnOff({ field, entry, readOnly }: { field: Field | undefined; entry: string; readOnly: string }) {
  const { t } = useLingui();
  const form = useForm();
  if (!field) return null;
  const on = current(form, field.path, field.schema.default ?? true) === true;
  return (
    <input
      type="checkbox"
      role="switch"
      aria-label={t`${entry} is on`}
      aria-checked={on}
      checked={on}
      disabled={!!readOnly}
      onChange={(event) => form.edit(field.path, event.target.checked)}
    />
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
