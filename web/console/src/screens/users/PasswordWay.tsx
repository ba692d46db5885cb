/** How a new user comes by a password: by a link to set it, or one that is generated or typed here. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useId } from "react";
import { Button } from "@/parts/base/Button.tsx";
import css from "./AddUser.module.css";
import type { Draft, Way } from "./draft.ts";
import { generated } from "./password.ts";

interface Props {
  now: Draft;
  change: (part: Partial<Draft>) => void;
  /** Of the password's input. */
  id: string;
  about: { readonly "aria-invalid": boolean; readonly "aria-describedby": string };
}

export function PasswordWay({ now, change, id, about }: Props) {
  const { t } = useLingui();
  const name = useId();
  const words: Record<Way, string> = {
    link: t`Send a link to set it`,
    generated: t`Generate one`,
    typed: t`Type one`,
  };
  const choose = (way: Way) => change({ way, password: way === "generated" ? generated() : "" });
  return (
    <>
      <fieldset className={css.ways}>
        <legend>
          <Trans>Password</Trans>
        </legend>
        {(Object.keys(words) as Way[]).map((way) => (
          <label key={way}>
            <input type="radio" name={name} checked={now.way === way} onChange={() => choose(way)} />
            {words[way]}
          </label>
        ))}
      </fieldset>
      {now.way === "link" ? (
        <>
          <label htmlFor={`${id}mail`}>
            <Trans>Mail the link to</Trans>
          </label>
          <input
            id={`${id}mail`}
            className="field"
            inputMode="email"
            value={now.mailTo}
            spellCheck={false}
            autoCapitalize="none"
            autoComplete="off"
            aria-describedby={`${id}hint`}
            onChange={(event) => change({ mailTo: event.target.value })}
          />
          <p id={`${id}hint`} className="muted">
            <Trans>
              An address that the colleague can read already. Left empty, the link is shown on the next page, to copy or
              to print.
            </Trans>
          </p>
        </>
      ) : (
        <>
          <div className={css.line}>
            <input
              id={id}
              className="field"
              aria-label={t`Password`}
              type={now.way === "generated" ? "text" : "password"}
              autoComplete="new-password"
              value={now.password}
              {...about}
              onChange={(event) => change({ password: event.target.value, way: "typed" })}
            />
            {now.way === "generated" && (
              <Button onClick={() => change({ password: generated() })}>
                <Trans>Another one</Trans>
              </Button>
            )}
          </div>
          <p className="muted">
            <Trans>Without one the mailbox receives mail, and nobody can sign in.</Trans>
          </p>
        </>
      )}
    </>
  );
}
