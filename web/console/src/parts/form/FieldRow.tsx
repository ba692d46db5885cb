/** One field: label, control, what is so with it, help; a menu with what else there is to know. */
import { Trans, useLingui } from "@lingui/react/macro";
import { lazy, Suspense, useEffect, useId, useRef } from "react";
import { Icon } from "../base/Icon.tsx";
import { Marked } from "../base/Marked.tsx";
import { current, useForm } from "./context.ts";
import { danger, type Field, holds } from "./fields.ts";
import css from "./Form.module.css";
import { Control } from "./inputs/Control.tsx";
import { written } from "./review.ts";

const FieldMenu = lazy(() => import("./FieldMenu.tsx"));
const TryValue = lazy(() => import("./TryValue.tsx").then((module) => ({ default: module.TryValue })));

export function FieldRow({ field, shown }: { field: Field; shown: boolean }) {
  const { t } = useLingui();
  const form = useForm();
  const id = useId();
  const row = useRef<HTMLDivElement>(null);
  const { schema, path } = field;
  const dirty = path in form.edits || (field.widget === "table" && hasEntries(path, form.edits));
  const fault = form.faults[path] ?? "";
  const beside = (name: string) => current(form, name.includes("/") ? name : `${field.base}${name}`, undefined);
  const hidden = !holds(schema["x-show-if"], beside) && !dirty && !fault;
  const enabled = holds(schema["x-enable-if"], beside);

  const risk = dirty
    ? danger(schema, current(form, path, schema.default), form.values[path]?.value ?? schema.default)
    : undefined;

  useEffect(() => {
    if (!shown) return;
    row.current?.scrollIntoView({ block: "center" });
    row.current?.querySelector<HTMLElement>("input, select, textarea, button")?.focus({ preventScroll: true });
  }, [shown]);

  if (hidden) return null;
  const readOnly = form.readOnly || (enabled ? "" : t`Only if ${schema["x-enable-if"] ?? ""}`);
  const stacked = field.widget === "table" || field.widget === "long";
  return (
    <div ref={row} className={css.row} data-shown={shown || undefined} data-stacked={stacked || undefined}>
      <div className={css.label}>
        {dirty && <i className="dot" title={t`Not saved`} />}
        <label htmlFor={id} id={`${id}label`}>
          {field.title}
        </label>
        {schema["x-applies"] === "restart" && (
          <small className={css.restart} title={t`Takes effect when the server is restarted`}>
            <Trans>restart</Trans>
          </small>
        )}
      </div>
      <div className={css.right}>
        <div className={css.control}>
          <Control
            {...{ field, id, readOnly }}
            value={current(form, path, schema.default ?? null)}
            onChange={(value) => form.edit(path, value)}
            described={`${id}help${fault ? ` ${id}fault` : ""}${risk ? ` ${id}risk` : ""}`}
            labelled={`${id}label`}
            wrong={!!fault}
          />
          <Origin field={field} dirty={dirty} />
          {form.settings && (
            <Suspense>
              <FieldMenu field={field} />
            </Suspense>
          )}
        </div>
        {fault && (
          <p id={`${id}fault`} className={`error ${css.fault}`}>
            <Icon name="error" />
            {fault}
          </p>
        )}
        {risk && !fault && (
          <p id={`${id}risk`} className={`warn ${css.fault}`}>
            <Icon name="warn" />
            <span>
              <Trans>
                Dangerous: <Marked text={risk.text} />. You will be asked to type “{risk.confirm}”.
              </Trans>
            </span>
          </p>
        )}
        {schema["x-check"] && form.settings && !form.readOnly && (
          <Suspense>
            <TryValue field={field} value={current(form, path, schema.default ?? "")} wrong={!!fault} />
          </Suspense>
        )}
        <p id={`${id}help`} className={css.help}>
          <Marked text={field.help} />
          {readOnly && !form.readOnly && ` ${readOnly}.`}
        </p>
      </div>
    </div>
  );
}

const hasEntries = (path: string, edits: Readonly<Record<string, unknown>>) =>
  Object.keys(edits).some((each) => each.startsWith(`${path}[`));

/** "was 120  Reset", "default", or nothing. */
function Origin({ field, dirty }: { field: Field; dirty: boolean }) {
  const { t } = useLingui();
  const form = useForm();
  if (field.widget === "table") return null;
  const known = form.values[field.path];
  const before = known?.value ?? field.schema.default;
  const was = field.widget === "switch" ? (before === true ? t`on` : t`off`) : written(before);
  if (dirty) {
    const secret = field.widget === "secret" || was.length > 40;
    return (
      <span className={css.origin}>
        {!secret && (was === "" ? t`was empty` : t`was ${was}`)}
        <button type="button" className={css.reset} onClick={() => form.revert([field.path])}>
          <Trans>Reset</Trans>
        </button>
      </span>
    );
  }
  if (!form.settings || !known || known.set) return null;
  return (
    <span className={css.origin}>
      <Trans>default</Trans>
    </span>
  );
}
