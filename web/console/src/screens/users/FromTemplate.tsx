/** "From template": one is chosen, and what it gives stands there to be taken out. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useId } from "react";
import { type Page, read } from "@/api/admin.ts";
import { useSchema } from "@/api/schema.ts";
import { Icon } from "@/parts/base/Icon.tsx";
import css from "./AddUser.module.css";
import type { Draft } from "./draft.ts";
import { BY_PRESS, giftsOf, type Template } from "./templates.ts";

interface Props {
  /** That of the new user. */
  domain: string;
  now: Draft;
  change: (part: Partial<Draft>) => void;
  fault: string | undefined;
}

export function FromTemplate({ domain, now, change, fault }: Props) {
  const { t } = useLingui();
  const id = useId();
  const record = useSchema().data?.records.template;
  const { data } = useQuery({
    queryKey: ["templates for", domain],
    enabled: !!domain,
    queryFn: ({ signal }) => read<Page<Template>>("template", "list", { domain }, signal),
    retry: false,
    placeholderData: (before) => before,
  });
  const items = data?.items ?? [];
  const chosen = items.find((each) => each.template === now.template);
  // One that was chosen for another domain stays named until another is: the server says that it is not offered here.
  const names = [...new Set([...items.map((each) => each.template), ...(now.template ? [now.template] : [])])];
  if (!record || !names.length) return null;
  const toggle = (which: string) =>
    change({
      withoutGifts: now.withoutGifts.includes(which)
        ? now.withoutGifts.filter((each) => each !== which)
        : [...now.withoutGifts, which],
    });
  const gifts = chosen ? giftsOf(chosen, record) : [];
  return (
    <>
      <label htmlFor={id}>
        <Trans>From template</Trans>
      </label>
      <select
        id={id}
        className="select"
        value={now.template}
        aria-invalid={!!fault}
        aria-describedby={`${id}said`}
        onChange={(event) => change({ template: event.target.value, withoutGifts: BY_PRESS })}
      >
        <option value="">{t`none`}</option>
        {names.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
      <p id={`${id}said`} className={fault ? "error" : "muted"} role={fault ? "alert" : "status"}>
        {fault ?? <Trans>Its values are copied; each can be taken out again.</Trans>}
      </p>
      {gifts.length > 0 && (
        <ul className={css.chips} aria-label={t`From ${now.template}`}>
          {gifts.map((gift) => {
            const on = !now.withoutGifts.includes(gift.id);
            return (
              <li key={gift.id}>
                <button type="button" className={css.chip} aria-pressed={on} onClick={() => toggle(gift.id)}>
                  <Icon name={on ? "ok" : "plus"} />
                  {gift.title}: {gift.text}
                </button>
              </li>
            );
          })}
        </ul>
      )}
    </>
  );
}
