/** A list of texts, one a line: add, take out, paste many at once, move (Alt and arrows), since order may count. */
import { Trans, useLingui } from "@lingui/react/macro";
import { type KeyboardEvent, useRef, useState } from "react";
import { Button, IconButton } from "../../base/Button.tsx";
import { useKnown } from "../../people/known.ts";
import { fault } from "../check.ts";
import { bare } from "../fields.ts";
import type { ControlProps } from "./Control.tsx";
import css from "./inputs.module.css";
import { Grip, moved, useOrder } from "./order.tsx";

export function Names(props: ControlProps) {
  const { t } = useLingui();
  const { field, value, onChange, readOnly, id } = props;
  const list = useRef<HTMLDivElement>(null);
  const items = Array.isArray(value) ? value.map(String) : [];
  const item = bare(field.schema).items ?? {};
  const [typing, setTyping] = useState("");
  const noun = field.schema["x-ref"] ?? item["x-ref"];
  const known = useKnown(
    field.widget === "references" && !readOnly ? typing : "",
    noun === "user" || !noun ? undefined : [noun],
  );

  const focus = (at: number) =>
    requestAnimationFrame(() => list.current?.querySelectorAll<HTMLElement>("input, select")[at]?.focus());
  const put = (next: readonly string[]) => onChange(next);
  const add = () => {
    put([...items, item.enum ? String(item.enum.find((each) => !items.includes(String(each))) ?? item.enum[0]) : ""]);
    focus(items.length);
  };
  const remove = (at: number) => {
    put(items.filter((_, each) => each !== at));
    focus(Math.max(0, at - 1));
  };
  const move = (at: number, to: number) => {
    const next = moved(items, at, to);
    if (!next) return;
    put(next);
    focus(to);
  };
  const order = useOrder(move);
  const grips = field.schema["x-list"] === "ordered" && !readOnly && items.length > 1;
  const key = (event: KeyboardEvent, at: number) => {
    if (order.key(event, at)) return;
    if (event.key === "Enter") add();
    else if (event.key === "Backspace" && items[at] === "") remove(at);
    else return;
    event.preventDefault();
  };
  return (
    <div
      className={css.names}
      role="group"
      aria-labelledby={props.labelled}
      aria-describedby={props.described}
      ref={list}
    >
      {items.map((each, at) => {
        const name = t`${field.title}, line ${at + 1}`;
        const common = { "aria-label": name, value: each, onKeyDown: (event: KeyboardEvent) => key(event, at) };
        const set = (text: string) => put(items.map((old, index) => (index === at ? text : old)));
        return (
          // oxlint-disable-next-line react/no-array-index-key -- lines have no name but their place
          <div key={at} {...(grips ? order.row(at) : {})}>
            {grips && <Grip name={each || name} {...{ at, order }} />}
            {item.enum ? (
              <select
                {...common}
                className="select"
                disabled={!!readOnly}
                onChange={(event) => set(event.target.value)}
              >
                {item.enum.map((choice) => (
                  <option key={String(choice)}>{String(choice)}</option>
                ))}
              </select>
            ) : (
              <input
                {...common}
                id={at === 0 ? id : undefined}
                className={css.text}
                readOnly={!!readOnly}
                aria-invalid={!!fault(item, each)}
                spellCheck={false}
                list={known.length ? `${id}known` : undefined}
                onChange={(event) => {
                  setTyping(event.target.value);
                  set(event.target.value);
                }}
                onPaste={(event) => {
                  const many = event.clipboardData
                    .getData("text")
                    .split(/[\n,;]+/)
                    .map((part) => part.trim())
                    .filter(Boolean);
                  if (many.length < 2) return;
                  event.preventDefault();
                  put([...items.slice(0, at), ...many, ...items.slice(at + (each === "" ? 1 : 0))]);
                }}
              />
            )}
            {!readOnly && <IconButton icon="close" label={t`Remove ${each}`} onClick={() => remove(at)} />}
          </div>
        );
      })}
      {known.length > 0 && (
        <datalist id={`${id}known`}>
          {known.map((each) => (
            <option key={each.address} value={each.address} label={each.name || each.address} />
          ))}
        </datalist>
      )}
      {!readOnly && (
        <Button small icon="plus" id={items.length ? undefined : id} onClick={add}>
          <Trans>Add</Trans>
        </Button>
      )}
      {readOnly && !items.length && <span className="muted">{t`none`}</span>}
    </div>
  );
}
