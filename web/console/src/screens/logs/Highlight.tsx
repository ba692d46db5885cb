/** Rules that colour parts of lines; kept in this browser. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Popover } from "@mantine/core";
import { useState } from "react";
import { Button, IconButton } from "@/parts/base/Button.tsx";
import type { Rule } from "./line.ts";
import css from "./Logs.module.css";

const KEY = "logs.rules";
const MOST = 12;

function remembered(): readonly Rule[] {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]") as readonly Rule[];
  } catch {
    return [];
  }
}

export function useRules(): [readonly Rule[], (rules: readonly Rule[]) => void] {
  const [rules, setRules] = useState(remembered);
  const keep = (next: readonly Rule[]) => {
    localStorage.setItem(KEY, JSON.stringify(next.filter((rule) => rule.text)));
    setRules(next);
  };
  return [rules, keep];
}

export function Highlight({ rules, onChange }: { rules: readonly Rule[]; onChange: (rules: readonly Rule[]) => void }) {
  const { t } = useLingui();
  const colours: readonly [string, string][] = [
    ["warn", t`Amber`],
    ["error", t`Red`],
    ["ok", t`Green`],
    ["info", t`Blue`],
  ];
  const put = (at: number, part: Partial<Rule>) =>
    onChange(rules.map((rule, index) => (index === at ? { ...rule, ...part } : rule)));
  return (
    <Popover position="bottom-end" trapFocus>
      <Popover.Target>
        <IconButton icon="edit" label={t`Highlight`} />
      </Popover.Target>
      <Popover.Dropdown className={css.popover}>
        <h3>
          <Trans>Highlight</Trans>
        </h3>
        {rules.map((rule, at) => (
          // oxlint-disable-next-line react/no-array-index-key -- rules have an order and nothing else
          <div key={at} className={css.rule}>
            <input
              className="field"
              value={rule.text}
              aria-label={t`Text to highlight`}
              onChange={(event) => put(at, { text: event.target.value })}
            />
            <select
              className="select"
              value={rule.colour}
              aria-label={t`Colour`}
              onChange={(event) => put(at, { colour: event.target.value })}
            >
              {colours.map(([token, name]) => (
                <option key={token} value={token}>
                  {name}
                </option>
              ))}
            </select>
            <IconButton
              icon="trash"
              label={t`Remove this rule`}
              onClick={() => onChange(rules.filter((_, index) => index !== at))}
            />
          </div>
        ))}
        {!rules.length && (
          <p className="muted">
            <Trans>Text that is coloured wherever it stands, such as a domain or a host.</Trans>
          </p>
        )}
        <Button
          small
          icon="plus"
          disabledBecause={rules.length >= MOST ? t`All colours are in use` : undefined}
          onClick={() =>
            onChange([...rules, { text: "", colour: colours[rules.length % colours.length]?.[0] ?? "warn" }])
          }
        >
          <Trans>Add a rule</Trans>
        </Button>
      </Popover.Dropdown>
    </Popover>
  );
}
