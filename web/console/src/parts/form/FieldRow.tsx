/** One field: label, control, what is so with it, help; a menu with what else there is to know. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Menu } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useId, useRef } from "react";
import { toast } from "@/api/operations.ts";
import { IconButton } from "../base/Button.tsx";
import { Icon } from "../base/Icon.tsx";
import { Marked } from "../base/Marked.tsx";
import { current, useForm } from "./context.ts";
import { type Field, holds } from "./fields.ts";
import css from "./Form.module.css";
import { Control } from "./inputs/Control.tsx";
import { command, written } from "./review.ts";

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
            described={`${id}help${fault ? ` ${id}fault` : ""}`}
            labelled={`${id}label`}
            wrong={!!fault}
          />
          <Origin field={field} dirty={dirty} />
          {form.settings && <FieldMenu field={field} />}
        </div>
        {fault && (
          <p id={`${id}fault`} className={`error ${css.fault}`}>
            <Icon name="error" />
            {fault}
          </p>
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

function FieldMenu({ field }: { field: Field }) {
  const { t } = useLingui();
  const form = useForm();
  const { path, schema } = field;
  const standard = written(schema.default);
  const copy = async (text: string) => {
    await navigator.clipboard.writeText(text).catch(() => undefined);
    toast(t`Copied: ${text}`);
  };
  const isSet = path in form.edits ? form.edits[path] !== null : form.values[path]?.set;
  return (
    <Menu position="bottom-end" width={320}>
      <Menu.Target>
        <IconButton icon="more" label={t`More about ${field.title}`} className={css.menu} />
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <code>{path}</code>
          {schema["x-mission"] && ` · ${schema["x-mission"]}`}
          {schema["x-since"] && ` · ${t`since ${schema["x-since"]}`}`}
        </Menu.Label>
        {field.widget !== "secret" && field.widget !== "table" && !form.readOnly && (
          <Menu.Item leftSection={<Icon name="undo" />} disabled={!isSet} onClick={() => form.edit(path, null)}>
            {standard === "" ? (
              <Trans>Back to the default (empty)</Trans>
            ) : (
              <Trans>Back to the default: {standard}</Trans>
            )}
          </Menu.Item>
        )}
        <HistoryItem path={path} />
        <Menu.Item leftSection={<Icon name="copy" />} onClick={() => void copy(path)}>
          <Trans>Copy the name of the setting</Trans>
        </Menu.Item>
        {field.widget !== "secret" && field.widget !== "table" && (
          <Menu.Item
            leftSection={<Icon name="code" />}
            onClick={() => void copy(command(path, current(form, path, schema.default)))}
          >
            <Trans>Copy as a command</Trans>
          </Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}

function HistoryItem({ path }: { path: string }) {
  const navigate = useNavigate();
  return (
    <Menu.Item
      leftSection={<Icon name="history" />}
      onClick={() => void navigate({ to: "/changes", search: { setting: path } as never })}
    >
      <Trans>Change history of this setting</Trans>
    </Menu.Item>
  );
}
