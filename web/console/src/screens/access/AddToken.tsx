/** A new API token: what for, what it allows, how long; then the token itself, this once. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { ApiError } from "@shared/errors.ts";
import { type FormEvent, useId, useState } from "react";
import { type Page as Listed, read, run } from "@/api/admin.ts";
import { me } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { useUrl } from "@/app/url.ts";
import { Button } from "@/parts/base/Button.tsx";
import { exactTime } from "@/parts/base/Moment.tsx";
import { Verdict } from "@/parts/base/State.tsx";
import { Drawer, Facts } from "@/parts/drawer/Drawer.tsx";
import css from "./Access.module.css";
import { type Kind, kindsFor, rightsOf } from "./access.ts";

interface Made {
  readonly token: string;
  readonly name: string;
  readonly rights: string;
  readonly expires: string | null;
}

export function AddTokenButton() {
  const { t } = useLingui();
  const [, change] = useUrl();
  const may = kindsFor(useStore(me)).length > 0;
  return (
    <Button
      kind="primary"
      icon="plus"
      disabledBecause={may ? undefined : t`You have no rights that a token could have`}
      onClick={() => change({ add: "1", open: null })}
    >
      <Trans>Add token</Trans>
    </Button>
  );
}

export function AddToken({ onClose, onAdded }: { onClose: () => void; onAdded: () => void }) {
  const { t } = useLingui();
  const [made, setMade] = useState<Made | null>(null);
  return (
    <Drawer title={made ? made.name : t`Add token`} label={t`Add token`} onClose={onClose}>
      {made ? (
        <Shown made={made} onClose={onClose} />
      ) : (
        <Form onClose={onClose} onMade={(token) => (setMade(token), onAdded())} />
      )}
    </Drawer>
  );
}

function Form({ onClose, onMade }: { onClose: () => void; onMade: (made: Made) => void }) {
  const { t } = useLingui();
  const id = useId();
  const who = useStore(me);
  const kinds = kindsFor(who);
  const [name, setName] = useState("");
  const [kind, setKind] = useState<Kind>(kinds[0] ?? "server-read");
  const [domains, setDomains] = useState<readonly string[]>([]);
  const [mail, setMail] = useState(false);
  const [expires, setExpires] = useState("90d");
  const [faults, setFaults] = useState<Record<string, string>>({});
  const [busy, setBusy] = useState(false);
  const ofDomains = kind === "domain" || kind === "accounts";
  const words: Record<Kind, string> = {
    "server-read": t`The whole server, to look at`,
    "server-write": t`The whole server`,
    domain: t`Domains: their settings, users, aliases, groups`,
    accounts: t`Domains: users, aliases and groups only`,
  };
  const spans: Record<string, string> = {
    "1d": t`1 day`,
    "30d": t`30 days`,
    "90d": t`90 days`,
    "365d": t`1 year`,
    never: t`For ever`,
  };
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFaults({});
    try {
      const { result } = await run<Made>("admin", "token-create", { name, ...rightsOf(kind, domains, mail), expires });
      onMade(result);
    } catch (error) {
      const said = error instanceof ApiError ? error.fields : [];
      const named = said.map((each) => [
        each.name === "right" || each.name === "grant" ? "kind" : each.name,
        each.text,
      ]);
      setFaults({
        ...(Object.fromEntries(named) as Record<string, string>),
        ...(said.length ? {} : { "": error instanceof Error ? error.message : String(error) }),
      });
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
  const because = !name.trim() ? t`Say what it is for` : ofDomains && !domains.length ? t`Choose a domain` : undefined;
  return (
    <form className={css.form} onSubmit={(event) => void submit(event)}>
      <label htmlFor={`${id}name`}>
        <Trans>What it is for</Trans>
      </label>
      <input
        id={`${id}name`}
        className="field"
        value={name}
        maxLength={100}
        required
        autoFocus
        placeholder={t`monitoring`}
        {...about("name")}
        onChange={(event) => setName(event.target.value)}
      />
      {said("name")}
      <label htmlFor={`${id}kind`}>
        <Trans>Allows</Trans>
      </label>
      <select
        id={`${id}kind`}
        className="select"
        value={kind}
        {...about("kind")}
        onChange={(event) => setKind(event.target.value as Kind)}
      >
        {kinds.map((each) => (
          <option key={each} value={each}>
            {words[each]}
          </option>
        ))}
      </select>
      {kind === "server-write" && (
        <p className="warn">
          <Trans>Whoever has this token can do everything that you can. Mostly less is enough.</Trans>
        </p>
      )}
      {ofDomains && <Domains known={who?.domains ?? null} chosen={domains} onChange={setDomains} />}
      {who?.mail_read && (
        <label className="check">
          <input type="checkbox" checked={mail} onChange={(event) => setMail(event.target.checked)} />
          <Trans>Other people's mail too: source, deleted mail, export</Trans>
        </label>
      )}
      {said("kind")}
      <label htmlFor={`${id}expires`}>
        <Trans>Good for</Trans>
      </label>
      <select
        id={`${id}expires`}
        className="select"
        value={expires}
        {...about("expires")}
        onChange={(event) => setExpires(event.target.value)}
      >
        {Object.entries(spans).map(([span, title]) => (
          <option key={span} value={span}>
            {title}
          </option>
        ))}
      </select>
      {said("expires")}
      {said("")}
      <div className={css.line}>
        <Button type="submit" kind="primary" busy={busy} disabledBecause={because}>
          <Trans>Add token</Trans>
        </Button>
        <Button onClick={onClose}>
          <Trans>Cancel</Trans>
        </Button>
      </div>
    </form>
  );
}

function Domains({
  known,
  chosen,
  onChange,
}: {
  /** Null: all there are. */
  known: readonly string[] | null;
  chosen: readonly string[];
  onChange: (domains: readonly string[]) => void;
}) {
  const { t } = useLingui();
  const { data, error } = useQuery({
    queryKey: ["domain names"],
    enabled: known === null,
    queryFn: ({ signal }) => read<Listed<{ name: string }>>("domain", "list", { limit: 200 }, signal),
    staleTime: 60_000,
  });
  const names = known ?? data?.items.map((each) => each.name) ?? [];
  return (
    <fieldset className={css.domains} aria-label={t`Domains`}>
      {error && <p className="error">{error.message}</p>}
      {names.map((name) => (
        <label key={name} className="check">
          <input
            type="checkbox"
            checked={chosen.includes(name)}
            onChange={(event) =>
              onChange(event.target.checked ? [...chosen, name] : chosen.filter((each) => each !== name))
            }
          />
          {name}
        </label>
      ))}
    </fieldset>
  );
}

function Shown({ made, onClose }: { made: Made; onClose: () => void }) {
  const { t } = useLingui();
  const id = useId();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(made.token);
      setCopied(true);
    } catch {
      setCopied(false);
    }
  };
  return (
    <div className={css.form}>
      <Verdict mood="ok" icon="key" title={t`Copy it now: it is shown this once`}>
        <p>
          <Trans>Only a hash of it is kept. If it is lost, remove it and make another one.</Trans>
        </p>
      </Verdict>
      <label htmlFor={id}>
        <Trans>Token</Trans>
      </label>
      <div className={css.line}>
        <input
          id={id}
          className="field mono"
          readOnly
          value={made.token}
          spellCheck={false}
          autoComplete="off"
          onFocus={(event) => event.target.select()}
        />
        <Button kind="primary" icon={copied ? "check" : "copy"} autoFocus onClick={() => void copy()}>
          {copied ? <Trans>Copied</Trans> : <Trans>Copy</Trans>}
        </Button>
      </div>
      <Facts
        facts={[
          [t`Allows`, made.rights],
          [t`Expires`, made.expires ? exactTime(new Date(made.expires)) : t`never`],
        ]}
      />
      <h3>
        <Trans>How a program shows it</Trans>
      </h3>
      <pre className={css.example}>{`curl -H "Authorization: Bearer $TOKEN" ${location.origin}/api/admin/status`}</pre>
      <div className={css.line}>
        <Button onClick={onClose}>
          <Trans>Done</Trans>
        </Button>
      </div>
    </div>
  );
}
