/** Switch, choice, number and text. */
import { useLingui } from "@lingui/react/macro";
import { useEffect, useState } from "react";
import { bare } from "../fields.ts";
import { parseNumber } from "../units.ts";
import type { ControlProps } from "./Control.tsx";
import css from "./inputs.module.css";

/** What all inputs say of themselves to a screen reader. */
export const said = ({ id, described, wrong }: ControlProps) => ({
  id,
  "aria-describedby": described,
  "aria-invalid": wrong,
});

export function Switch(props: ControlProps) {
  const { t } = useLingui();
  const { value, onChange, readOnly } = props;
  const on = value === true;
  return (
    <span className={css.switch}>
      <input
        {...said(props)}
        type="checkbox"
        role="switch"
        aria-checked={on}
        checked={on}
        disabled={!!readOnly}
        title={readOnly}
        onChange={(event) => onChange(event.target.checked)}
      />
      <span aria-hidden>{on ? t`On` : t`Off`}</span>
    </span>
  );
}

export function Choice(props: ControlProps) {
  const { field, value, onChange, readOnly } = props;
  const values = field.schema.enum ?? [];
  const now = value === null || value === undefined ? "" : String(value);
  return (
    <select
      {...said(props)}
      className="select"
      value={now}
      disabled={!!readOnly}
      title={readOnly}
      onChange={(event) => onChange(values.find((each) => String(each) === event.target.value) ?? event.target.value)}
    >
      {!values.some((each) => String(each) === now) && <option value={now}>{now}</option>}
      {values.map((each) => (
        <option key={String(each)} value={String(each)}>
          {String(each)}
        </option>
      ))}
    </select>
  );
}

export function NumberInput(props: ControlProps) {
  const { field, value, onChange, readOnly } = props;
  const schema = bare(field.schema);
  const optional = schema !== field.schema;
  const [typed, setTyped] = useState(() => shown(value));
  // A value from outside replaces what is typed; what is typed is not written anew ("1." would lose its dot).
  useEffect(() => setTyped((now) => (read(now, optional) === (value ?? null) ? now : shown(value))), [value, optional]);
  const { minimum, maximum } = schema;
  return (
    <span className={css.unit}>
      <input
        {...said(props)}
        className={css.number}
        inputMode={schema.type === "integer" ? "numeric" : "decimal"}
        value={typed}
        readOnly={!!readOnly}
        title={readOnly || (minimum !== undefined && maximum !== undefined ? `${minimum} – ${maximum}` : undefined)}
        onChange={(event) => {
          setTyped(event.target.value);
          onChange(read(event.target.value, optional));
        }}
      />
      {schema["x-unit"] && <span>{schema["x-unit"]}</span>}
    </span>
  );
}

const shown = (value: unknown) => (value === null || value === undefined ? "" : String(value));

/** What is no number stays a text, so that it is kept, and complained of. */
function read(text: string, optional: boolean): number | string | null {
  if (text.trim() === "") return optional ? null : "";
  return parseNumber(text) ?? text;
}

export function Text(props: ControlProps) {
  const { field, value, onChange, readOnly } = props;
  const { schema } = field;
  const example = schema.examples?.[0];
  return (
    <input
      {...said(props)}
      className={`${css.text} ${["path", "regex", "cidr", "hostport"].includes(schema.format ?? "") ? "mono" : ""}`}
      // Not "email": a browser would make xn--... of a name as it is typed.
      type="text"
      inputMode={schema.format === "email" ? "email" : undefined}
      value={shown(value)}
      placeholder={example === undefined ? undefined : String(example)}
      readOnly={!!readOnly}
      title={readOnly}
      spellCheck={false}
      autoComplete="off"
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

export function LongText(props: ControlProps) {
  const { value, onChange, readOnly } = props;
  return (
    <textarea
      {...said(props)}
      className={`${css.long} mono`}
      rows={8}
      value={shown(value)}
      readOnly={!!readOnly}
      spellCheck={false}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}
