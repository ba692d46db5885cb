/** A secret is never shown: it is set, changed or taken away. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { Button } from "../../base/Button.tsx";
import { useForm } from "../context.ts";
import type { ControlProps } from "./Control.tsx";
import css from "./inputs.module.css";
import { said } from "./plain.tsx";

/** A URL whose path is secret. */
const URL_SHOWN = /^https:/;

export function Secret(props: ControlProps) {
  const { t } = useLingui();
  const form = useForm();
  const { field, onChange, readOnly } = props;
  const { path } = field;
  const edited = path in form.edits;
  const isSet = form.values[path]?.set ?? false;
  const shown = form.values[path]?.shown ?? "";
  const [typing, setTyping] = useState(false);
  if (!(edited && form.edits[path] !== null) && !typing) {
    return (
      <span className={css.unit}>
        <span className="muted">{edited ? t`Will be removed` : isSet ? t`Is set` : t`Not set`}</span>
        {isSet && !edited && URL_SHOWN.test(shown) && <bdi className={css.shown}>{shown}</bdi>}
        {!readOnly && (
          <Button id={props.id} onClick={() => setTyping(true)}>
            {isSet ? <Trans>Change</Trans> : <Trans>Set</Trans>}
          </Button>
        )}
        {!readOnly && isSet && !edited && (
          <Button kind="quiet" onClick={() => onChange(null)}>
            <Trans>Remove</Trans>
          </Button>
        )}
      </span>
    );
  }
  return (
    <input
      {...said(props)}
      className={css.text}
      type="password"
      autoComplete="new-password"
      autoFocus={typing}
      value={typeof form.edits[path] === "string" ? form.edits[path] : ""}
      onChange={(event) => onChange(event.target.value)}
      onBlur={() => {
        setTyping(false);
        if (form.edits[path] === "") form.revert([path]);
      }}
    />
  );
}
