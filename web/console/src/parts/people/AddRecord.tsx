/** A new domain, alias or group: what it cannot do without; all else afterwards in its drawer. */
import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, type ReactNode, useId, useState } from "react";
import { run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { Button } from "../base/Button.tsx";
import { Drawer } from "../drawer/Drawer.tsx";
import { Addresses } from "./AddressInput.tsx";
import { faultsOf } from "../form/faults.ts";
import css from "./people.module.css";

export interface AddField {
  /** Name of the parameter. */
  readonly name: string;
  readonly label: string;
  readonly help?: ReactNode;
  readonly placeholder?: string;
  readonly required?: string;
  /** Several addresses. */
  readonly many?: boolean;
}

interface Props {
  noun: string;
  title: string;
  fields: readonly AddField[];
  /** "info@example.org is added". */
  said: (name: string) => string;
  onClose: () => void;
  onAdded: (name: string) => void;
  /** Filled in already. */
  initial?: Readonly<Record<string, string>>;
}

export default function AddRecord({ noun, title, fields, said, onClose, onAdded, initial = {} }: Props) {
  const { t } = useLingui();
  const id = useId();
  const [texts, setTexts] = useState<Readonly<Record<string, string>>>(initial);
  const [lists, setLists] = useState<Readonly<Record<string, readonly string[]>>>({});
  const [faults, setFaults] = useState<Readonly<Record<string, string>>>({});
  const [busy, setBusy] = useState(false);
  const name = texts.name?.trim() ?? "";
  const missing = fields.find((field) =>
    field.many ? field.required && !lists[field.name]?.length : field.required && !texts[field.name]?.trim(),
  );

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (missing) return;
    setBusy(true);
    setFaults({});
    try {
      const { warnings } = await run(noun, "add", { ...texts, ...lists, name });
      toast([said(name), ...warnings].join(". "), warnings.length ? "failed" : "done");
      onAdded(name);
    } catch (error) {
      setFaults(faultsOf(error, fields));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Drawer title={title} label={title} onClose={onClose}>
      <form className={css.form} onSubmit={(event) => void submit(event)} noValidate>
        {fields.map((field, at) => {
          const about = { invalid: !!faults[field.name], described: `${id}${field.name}said` };
          return [
            <label key="label" htmlFor={`${id}${field.name}`}>
              {field.label}
            </label>,
            field.many ? (
              <Addresses
                key="input"
                id={`${id}${field.name}`}
                value={lists[field.name] ?? []}
                onChange={(value) => setLists({ ...lists, [field.name]: value })}
                {...about}
              />
            ) : (
              <input
                key="input"
                id={`${id}${field.name}`}
                className="field"
                value={texts[field.name] ?? ""}
                placeholder={field.placeholder}
                spellCheck={false}
                autoCapitalize="none"
                autoFocus={at === 0}
                aria-required={!!field.required}
                aria-invalid={about.invalid}
                aria-describedby={about.described}
                onChange={(event) => setTexts({ ...texts, [field.name]: event.target.value })}
              />
            ),
            <p key="said" id={about.described} className={faults[field.name] ? "error" : "muted"} role="status">
              {faults[field.name] ?? field.help}
            </p>,
          ];
        })}
        <p className="error" role="alert">
          {faults[""]}
        </p>
        <div className={css.buttons}>
          <Button type="submit" kind="primary" busy={busy} disabledBecause={missing?.required}>
            {title}
          </Button>
          <Button onClick={onClose}>
            <Trans>Cancel</Trans>
          </Button>
        </div>
      </form>
      <p className="hidden" role="status">
        {busy ? t`Being added` : ""}
      </p>
    </Drawer>
  );
}
