/** A new user: name, address, password; all else afterwards in the drawer. */
import { Trans, useLingui } from "@lingui/react/macro";
import { type FormEvent, useId, useState } from "react";
import { read, run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Drawer } from "@/parts/drawer/Drawer.tsx";
import { faultsOf } from "@/parts/form/faults.ts";
import css from "./AddUser.module.css";
import { generated } from "./password.ts";

/** "Anna Kovač" -> "anna.kovac" */
export function proposal(name: string): string {
  return name
    .toLowerCase()
    .replaceAll("ß", "ss")
    .replaceAll("ä", "ae")
    .replaceAll("ö", "oe")
    .replaceAll("ü", "ue")
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .trim()
    .replace(/[^a-z0-9]+/g, ".")
    .replace(/^\.|\.$/g, "");
}

const FIELDS = [{ name: "full_name" }, { name: "name" }, { name: "password" }];

export default function AddUser({ onClose, onAdded }: { onClose: () => void; onAdded: (address: string) => void }) {
  const { t } = useLingui();
  const id = useId();
  const [fullName, setFullName] = useState("");
  const [name, setName] = useState<string | null>(null);
  const [password, setPassword] = useState("");
  const [shown, setShown] = useState(false);
  const [faults, setFaults] = useState<Record<string, string>>({});
  const [busy, setBusy] = useState(false);
  const address = name ?? proposal(fullName);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFaults({});
    try {
      const { warnings } = await run("user", "add", { name: address, full_name: fullName, password: password || null });
      toast([t`${address} can receive mail`, ...warnings].join(" "));
      // A bare name was meant in the primary domain.
      onAdded((await read<{ address: string }>("user", "show", { name: address })).address);
    } catch (error) {
      setFaults(faultsOf(error, FIELDS));
    } finally {
      setBusy(false);
    }
  };
  const about = (field: string) => ({ "aria-invalid": !!faults[field], "aria-describedby": `${id}${field}fault` });
  const said = (field: string) => (
    <p id={`${id}${field}fault`} className="error" role="alert">
      {faults[field]}
    </p>
  );
  return (
    <Drawer title={t`Add user`} label={t`Add user`} onClose={onClose}>
      <form className={css.form} onSubmit={(event) => void submit(event)}>
        <label htmlFor={`${id}full`}>
          <Trans>Full name</Trans>
        </label>
        <input
          id={`${id}full`}
          className="field"
          value={fullName}
          autoFocus
          {...about("full_name")}
          onChange={(event) => setFullName(event.target.value)}
        />
        {said("full_name")}
        <label htmlFor={`${id}name`}>
          <Trans>Address</Trans>
        </label>
        <input
          id={`${id}name`}
          className="field"
          value={address}
          required
          spellCheck={false}
          {...about("name")}
          onChange={(event) => setName(event.target.value)}
        />
        <p className="muted">
          <Trans>A bare name is in the primary domain; another one: anna@example.org.</Trans>
        </p>
        {said("name")}
        <label htmlFor={`${id}password`}>
          <Trans>Password</Trans>
        </label>
        <div className={css.line}>
          <input
            id={`${id}password`}
            className="field"
            type={shown ? "text" : "password"}
            autoComplete="new-password"
            value={password}
            {...about("password")}
            onChange={(event) => setPassword(event.target.value)}
          />
          <Button onClick={() => (setPassword(generated()), setShown(true))}>
            <Trans>Generate</Trans>
          </Button>
        </div>
        <p className="muted">
          <Trans>Without one the mailbox receives mail, and nobody can sign in.</Trans>
        </p>
        {said("password")}
        {said("")}
        <div className={css.line}>
          <Button
            type="submit"
            kind="primary"
            busy={busy}
            disabledBecause={address ? undefined : t`A name or an address is needed`}
          >
            <Trans>Add user</Trans>
          </Button>
          <Button onClick={onClose}>
            <Trans>Cancel</Trans>
          </Button>
        </div>
      </form>
    </Drawer>
  );
}
