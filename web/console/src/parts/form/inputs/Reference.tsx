/** The name of something that the server has: what there is is offered while one types. */
import { useQuery } from "@tanstack/react-query";
import { useDeferredValue } from "react";
import { type Page, read } from "@/api/admin.ts";
import { bare } from "../fields.ts";
import type { ControlProps } from "./Control.tsx";
import css from "./inputs.module.css";
import { said } from "./plain.tsx";

interface Named {
  address?: string;
  name?: string;
}

const MOST = 20;

export function Reference(props: ControlProps) {
  const { field, id, value, onChange, readOnly } = props;
  const text = useDeferredValue(String(value ?? ""));
  const noun = bare(field.schema)["x-ref"] ?? "";
  const { data } = useQuery({
    queryKey: ["reference", noun, text],
    enabled: !readOnly,
    retry: false,
    queryFn: ({ signal }) => read<Page<Named>>(noun, "list", { search: text, limit: MOST }, signal),
  });
  const names = data?.items.map((each) => each.address ?? each.name ?? "").filter(Boolean) ?? [];
  return (
    <>
      <input
        {...said(props)}
        className={css.text}
        list={`${id}list`}
        value={String(value ?? "")}
        readOnly={!!readOnly}
        title={readOnly}
        spellCheck={false}
        onChange={(event) => onChange(event.target.value)}
      />
      <datalist id={`${id}list`}>
        {names.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </>
  );
}
