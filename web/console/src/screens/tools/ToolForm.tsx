/** What a tool is asked. */
import { useLingui } from "@lingui/react/macro";
import { type FormEvent, useId, useState } from "react";
import { Button } from "@/parts/base/Button.tsx";
import type { Input, Tool } from "./tools.ts";
import css from "./Tools.module.css";

interface Props {
  tool: Tool;
  /** What stands in the inputs at first. */
  given: Readonly<Record<string, string>>;
  onStart: (typed: Readonly<Record<string, string>>) => void;
  /** Why it cannot be used; undefined if it can. */
  because: string | undefined;
}

export function ToolForm({ tool, given, onStart, because }: Props) {
  const { t, i18n } = useLingui();
  const [typed, setTyped] = useState(given);
  const onType = (name: string, value: string) => setTyped((before) => ({ ...before, [name]: value }));
  const missing = tool.inputs.find((input) => input.needed && !(typed[input.name] ?? "").trim());
  const withheld = because ?? (missing ? t`Missing: ${i18n._(missing.title)}` : undefined);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!withheld) onStart(typed);
  };
  return (
    <form className={css.form} onSubmit={submit} aria-label={i18n._(tool.title)}>
      <p className="muted">{i18n._(tool.help)}</p>
      <div className={css.inputs}>
        {tool.inputs.map((input) => (
          <One key={input.name} input={input} value={typed[input.name] ?? input.initial ?? ""} onType={onType} />
        ))}
        <Button kind="primary" icon="play" disabledBecause={withheld} onClick={() => onStart(typed)}>
          {i18n._(tool.verb)}
        </Button>
      </div>
      <button type="submit" hidden aria-hidden tabIndex={-1} />
    </form>
  );
}

function One({ input, value, onType }: { input: Input; value: string; onType: (name: string, value: string) => void }) {
  const { t, i18n } = useLingui();
  const id = useId();
  const { name, choices, example, numeric, wide } = input;
  return (
    <div className={wide ? css.wide : undefined}>
      <label htmlFor={id}>{i18n._(input.title)}</label>
      {choices ? (
        <select id={id} className="select" value={value} onChange={(event) => onType(name, event.target.value)}>
          {choices.map((each) => (
            <option key={each} value={each}>
              {each || t`Those that matter for mail`}
            </option>
          ))}
        </select>
      ) : (
        <input
          id={id}
          className="field"
          data-narrow={numeric || undefined}
          value={value}
          placeholder={example}
          inputMode={numeric ? "numeric" : "text"}
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          onChange={(event) => onType(name, event.target.value)}
        />
      )}
    </div>
  );
}
