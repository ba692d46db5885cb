/** Sizes and durations: a number and its unit. What has another form (milliseconds) is shown as text. */
import { useLingui } from "@lingui/react/macro";
import { useEffect, useState } from "react";
import { type Amount, DURATIONS, meant, SIZES } from "../units.ts";
import type { ControlProps } from "./Control.tsx";
import css from "./inputs.module.css";
import { said, Text } from "./plain.tsx";

export function WithUnit(props: ControlProps) {
  const { t } = useLingui();
  const { field, value, onChange, readOnly } = props;
  const size = field.widget === "size";
  const measure = size ? SIZES : DURATIONS;
  const text = String(value ?? "");
  const fallback = size ? "M" : "s";
  const [amount, setAmount] = useState<Amount>(() => measure.split(text) ?? { typed: text, unit: fallback });
  // A value from outside replaces what is typed; what is typed stays as it is, right or wrong.
  useEffect(
    () =>
      setAmount((now) =>
        meant(now, measure) === text ? now : (measure.split(text) ?? { typed: text, unit: now.unit }),
      ),
    [text, measure],
  );
  // Seen once: while one types, the field must not become another.
  const [plain] = useState(() => text !== "" && !measure.split(text));
  if (plain) return <Text {...props} />;

  const put = (next: Amount) => {
    setAmount(next);
    onChange(meant(next, measure));
  };
  const units: Record<string, string> = size
    ? { "": t`bytes`, K: "KB", M: "MB", G: "GB", T: "TB" }
    : { s: t`seconds`, m: t`minutes`, h: t`hours`, d: t`days`, w: t`weeks` };
  // "4h" may be typed as the server writes it: it has its own unit.
  const own = /[a-z]$/i.test(amount.typed.trim()) ? measure.split(amount.typed) : null;
  return (
    <span className={css.unit}>
      <input
        {...said(props)}
        className={css.number}
        inputMode="decimal"
        value={amount.typed}
        readOnly={!!readOnly}
        title={readOnly}
        onChange={(event) => put({ typed: event.target.value, unit: amount.unit })}
        onBlur={() => own && setAmount(own)}
      />
      <select
        className="select"
        aria-label={t`Unit of ${field.title}`}
        value={own?.unit ?? amount.unit}
        disabled={!!readOnly}
        onChange={(event) => put({ typed: own?.typed ?? amount.typed, unit: event.target.value })}
      >
        {Object.entries(units).map(([each, name]) => (
          <option key={each} value={each}>
            {name}
          </option>
        ))}
      </select>
    </span>
  );
}
