/** One address, with those that there are offered while one types; Enter, a comma or a pasted list gives several. */
import { useLingui } from "@lingui/react/macro";
import { type KeyboardEvent, useId, useState } from "react";
import { Button, IconButton } from "../base/Button.tsx";
import { useKnown } from "./known.ts";
import css from "./people.module.css";

/** Addresses in a text that was pasted or typed: `Anna <anna@x>, bob@x; carol`. */
export function addressesIn(text: string): string[] {
  return text
    .split(/[\n\r\t,;]+/)
    .map((part) => (/<([^<>]+)>\s*$/.exec(part)?.[1] ?? part).trim())
    .filter(Boolean);
}

interface InputProps {
  id?: string;
  label?: string;
  value: string;
  onChange: (text: string) => void;
  /** Addresses that are complete; without it the field is of one address. */
  onTake?: (addresses: readonly string[]) => void;
  placeholder?: string;
  invalid?: boolean;
  described?: string;
  autoFocus?: boolean;
}

export function AddressInput({ id, label, value, onChange, onTake, invalid, described, ...rest }: InputProps) {
  const own = useId();
  const known = useKnown(value);
  const key = (event: KeyboardEvent) => {
    if (!onTake || !value.trim() || (event.key !== "Enter" && event.key !== "," && event.key !== ";")) return;
    event.preventDefault();
    onTake(addressesIn(value));
    onChange("");
  };
  return (
    <>
      <input
        {...rest}
        id={id}
        aria-label={label}
        className="field"
        type="text"
        list={`${own}known`}
        value={value}
        spellCheck={false}
        autoComplete="off"
        autoCapitalize="none"
        aria-invalid={invalid}
        aria-describedby={described}
        onKeyDown={key}
        onChange={(event) => onChange(event.target.value)}
        onPaste={(event) => {
          const many = addressesIn(event.clipboardData.getData("text"));
          if (!onTake || many.length < 2) return;
          event.preventDefault();
          onTake(many);
          onChange("");
        }}
      />
      <datalist id={`${own}known`}>
        {known.map((each) => (
          <option key={each.address} value={each.address} label={each.name || each.address} />
        ))}
      </datalist>
    </>
  );
}

/** Several addresses of a form that is filled in. */
export function Addresses({
  id,
  value,
  onChange,
  invalid,
  described,
}: {
  id: string;
  value: readonly string[];
  onChange: (value: readonly string[]) => void;
  invalid?: boolean;
  described?: string;
}) {
  const { t } = useLingui();
  const [typed, setTyped] = useState("");
  const take = (more: readonly string[]) => onChange([...new Set([...value, ...more])]);
  return (
    <div className={css.addresses}>
      {value.length > 0 && (
        <ul>
          {value.map((each) => (
            <li key={each}>
              <span>{each}</span>
              <IconButton
                icon="close"
                label={t`Remove ${each}`}
                onClick={() => onChange(value.filter((other) => other !== each))}
              />
            </li>
          ))}
        </ul>
      )}
      <div className={css.line}>
        <AddressInput
          id={id}
          value={typed}
          onChange={setTyped}
          onTake={take}
          placeholder={t`name@example.org`}
          {...(invalid === undefined ? {} : { invalid })}
          {...(described === undefined ? {} : { described })}
        />
        <Button
          icon="plus"
          disabledBecause={typed.trim() ? undefined : t`Type an address first`}
          onClick={() => (take(addressesIn(typed)), setTyped(""))}
        >
          {t`Add`}
        </Button>
      </div>
    </div>
  );
}
