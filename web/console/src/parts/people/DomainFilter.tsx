/** Of which domain, where there are several; where there are many it is typed. */
import { useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useState } from "react";
import { type Page, read } from "@/api/admin.ts";
import css from "./people.module.css";

/** More than these are no menu to choose from. */
const MENU = 40;

export function DomainFilter({ value, onChange }: { value: string; onChange: (domain: string) => void }) {
  const { t } = useLingui();
  const id = useId();
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  const { data } = useQuery({
    queryKey: ["domain names", typed.trim()],
    queryFn: ({ signal }) =>
      read<Page<{ name: string }>>("domain", "list", { limit: MENU, search: typed.trim() }, signal),
    staleTime: 60_000,
    placeholderData: (before) => before,
  });
  const [many, setMany] = useState(false);
  useEffect(() => {
    if (data?.more) setMany(true);
  }, [data]);
  if (!data || (!many && data.items.length < 2 && !value)) return null;
  if (many)
    return (
      <>
        <input
          className={`field ${css.domain}`}
          aria-label={t`Domain`}
          placeholder={t`All domains`}
          list={id}
          value={typed}
          spellCheck={false}
          autoCapitalize="none"
          onChange={(event) => {
            const text = event.target.value;
            setTyped(text);
            // Chosen from the list, or taken out.
            if (!text || data.items.some((domain) => domain.name === text)) onChange(text);
          }}
          onKeyDown={(event) => event.key === "Enter" && onChange(typed.trim())}
          onBlur={() => typed.trim() !== value && setTyped(value)}
        />
        <datalist id={id}>
          {data.items.map((domain) => (
            <option key={domain.name} value={domain.name} />
          ))}
        </datalist>
      </>
    );
  return (
    <select className="select" aria-label={t`Domain`} value={value} onChange={(event) => onChange(event.target.value)}>
      <option value="">{t`All domains`}</option>
      {data.items.map((domain) => (
        <option key={domain.name}>{domain.name}</option>
      ))}
      {value && !data.items.some((domain) => domain.name === value) && <option>{value}</option>}
    </select>
  );
}
