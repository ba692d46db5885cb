/** A question, by its kind. */
import { useLingui } from "@lingui/react/macro";
import { type ChangeEvent, useId, useState } from "react";
import { Button, IconButton } from "@/parts/base/Button.tsx";
import type { Tree } from "./answers.ts";
import type { Field } from "./api.ts";
import css from "./Wizard.module.css";

interface Props {
  field: Field;
  value: unknown;
  /** There is an answer, which is not shown: typing replaces it. */
  kept: boolean;
  faults: readonly string[];
  onChange: (value: unknown) => void;
}

export function FieldInput({ field, value, kept, faults, onChange }: Props) {
  const id = useId();
  const described = { "aria-describedby": `${id}help ${id}fault`, "aria-invalid": faults.length > 0 };
  const group = field.kind === "choice" || field.kind === "services";
  if (field.kind === "services" && !Object.keys((value || {}) as Tree).length && !faults.length) return null;
  return (
    <div className={css.field} role={group ? "group" : undefined} aria-labelledby={group ? `${id}label` : undefined}>
      <label id={`${id}label`} htmlFor={group ? undefined : id}>
        {field.title}
      </label>
      <Control {...{ field, value, kept, onChange, id, described }} />
      <p id={`${id}help`} className="muted">
        {field.help}
      </p>
      <p id={`${id}fault`} className="error" role="alert">
        {faults.join(" ")}
      </p>
    </div>
  );
}

type Described = Record<"aria-describedby", string> & Record<"aria-invalid", boolean>;
type Inner = Omit<Props, "faults"> & { id: string; described: Described };

function Control({ field, value, kept, onChange, id, described }: Inner) {
  const text = typeof value === "string" || typeof value === "number" ? String(value) : "";
  switch (field.kind) {
    case "choice":
      return <Choices {...{ field, value, kept, onChange, id, described }} />;
    case "secret":
      return <Secret {...{ field, value: text, kept, onChange, id, described }} />;
    case "file":
      return <FileText {...{ field, value: text, kept, onChange, id, described }} />;
    case "list":
      return (
        <textarea
          id={id}
          {...described}
          rows={4}
          value={Array.isArray(value) ? value.join("\n") : ""}
          onChange={(event) => onChange(event.target.value.split("\n"))}
          onBlur={(event) => onChange(event.target.value.split("\n").filter((line) => line.trim()))}
        />
      );
    case "services":
      return <Ports value={value as Tree} onChange={onChange} />;
    default:
      return (
        <input
          id={id}
          {...described}
          value={text}
          inputMode={field.kind === "number" ? "numeric" : undefined}
          autoCapitalize="none"
          spellCheck={false}
          required={field.required}
          onChange={(event) => onChange(event.target.value)}
        />
      );
  }
}

function Choices({ field, value, onChange, id, described }: Inner) {
  return (
    <div className={css.choices}>
      {field.choices.map((each) => (
        <label key={each.value}>
          <input
            type="radio"
            name={id}
            {...described}
            checked={value === each.value}
            onChange={() => onChange(each.value)}
          />
          {each.title}
        </label>
      ))}
    </div>
  );
}

function Secret({ field, value, kept, onChange, id, described }: Inner) {
  const { t } = useLingui();
  const [seen, setSeen] = useState(false);
  return (
    <span className={css.secret}>
      <input
        id={id}
        {...described}
        type={seen ? "text" : "password"}
        value={String(value)}
        autoComplete="new-password"
        placeholder={kept ? t`Kept; type to replace it` : undefined}
        required={field.required && !kept}
        onChange={(event) => onChange(event.target.value)}
      />
      <IconButton
        icon="eye"
        label={seen ? t`Hide the password` : t`Show the password`}
        onClick={() => setSeen(!seen)}
      />
    </span>
  );
}

function FileText({ field, value, kept, onChange, id, described }: Inner) {
  const { t } = useLingui();
  const read = (event: ChangeEvent<HTMLInputElement>) => {
    const file = event.target.files?.[0];
    if (file) void file.text().then(onChange);
  };
  return (
    <>
      <input type="file" aria-label={t`File: ${field.title}`} onChange={read} />
      <textarea
        id={id}
        {...described}
        rows={5}
        placeholder={kept ? t`Kept; type to replace it` : undefined}
        spellCheck={false}
        value={String(value)}
        onChange={(event) => onChange(event.target.value)}
      />
    </>
  );
}

/** What differs from the usual ports. */
function Ports({ value, onChange }: { value: Tree; onChange: (value: Tree) => void }) {
  const { t } = useLingui();
  return (
    <ul className={css.ports}>
      {Object.entries(value).map(([name, said]) => {
        const { listen, enabled } = said as { listen?: readonly string[]; enabled?: boolean };
        return (
          <li key={name}>
            <b>{name}</b> {enabled === false ? t`off` : (listen ?? []).join(", ")}
            <Button
              small
              onClick={() => onChange(Object.fromEntries(Object.entries(value).filter(([each]) => each !== name)))}
            >
              {t`As usual again`}
            </Button>
          </li>
        );
      })}
    </ul>
  );
}
