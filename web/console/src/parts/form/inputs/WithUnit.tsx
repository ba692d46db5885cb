/** Sizes and durations: a number and its unit. What has another form (a percentage, a pattern) is shown as text. */
import { useLingui } from "@lingui/react/macro";
import { parseDuration, parseSize, splitDuration, splitSize } from "../units.ts";
import type { ControlProps } from "./Control.tsx";
import css from "./inputs.module.css";
import { said, Text } from "./plain.tsx";

export function WithUnit(props: ControlProps) {
  const { t } = useLingui();
  const { field, value, onChange, readOnly } = props;
  const size = field.widget === "size";
  const text = String(value ?? "");
  const known =
    text === "" || (size ? parseSize(text) : parseDuration(text)) !== null || /^\D{0,1}$/.test(text.slice(-1));
  if (!known) return <Text {...props} />;
  const [amount, unit] = size ? splitSize(text) : splitDuration(text);
  const units: Record<string, string> = size
    ? { "": t`bytes`, K: "KB", M: "MB", G: "GB", T: "TB" }
    : { s: t`seconds`, m: t`minutes`, h: t`hours`, d: t`days`, w: t`weeks` };
  const change = (to: string, by: string) => onChange(to.trim() === "" ? "" : `${to.trim()}${by}`);
  return (
    <span className={css.unit}>
      <input
        {...said(props)}
        className={css.number}
        inputMode="decimal"
        value={amount}
        readOnly={!!readOnly}
        title={readOnly}
        onChange={(event) => {
          // "4h" may be typed as the server writes it.
          const typed = event.target.value;
          const whole = size ? /[KMGT]$/i.test(typed.trim()) : /[smhdw]$/i.test(typed.trim());
          if (whole) onChange(typed.trim());
          else change(typed, unit);
        }}
      />
      <select
        className="select"
        aria-label={t`Unit of ${field.title}`}
        value={unit}
        disabled={!!readOnly}
        onChange={(event) => change(amount, event.target.value)}
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
