/** A new user: name, address, password, and what a colleague has; all else afterwards in the drawer. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useEffect, useId, useState } from "react";
import { type Page, read, run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { me } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Drawer } from "@/parts/drawer/Drawer.tsx";
import { faultsOf } from "@/parts/form/faults.ts";
import css from "./AddUser.module.css";
import { asFields, join } from "./alike.ts";
import { added, begun, BLANK, draft, type Draft } from "./draft.ts";
import { type Link, makeLink } from "./link.ts";
import { fullAddress, proposal } from "./names.ts";
import { FromTemplate } from "./FromTemplate.tsx";
import { PasswordWay } from "./PasswordWay.tsx";
import { SameAs } from "./SameAs.tsx";

const FIELDS = ["full_name", "name", "password", "quota", "rights", "template"].map((name) => ({ name }));
/** More than these are no menu to choose from. */
const MENU = 40;

interface Props {
  /** Domain that is looked at. */
  domain: string;
  onClose: () => void;
  onAdded: (address: string) => void;
  onTable: () => void;
}

export default function AddUser({ domain: looked, onClose, onAdded, onTable }: Props) {
  const { t } = useLingui();
  const id = useId();
  const now = useStore(draft);
  const change = (part: Partial<Draft>) => draft.set({ ...draft.get(), ...part });
  const [kept, setKept] = useState(() => begun(draft.get()));
  const [faults, setFaults] = useState<Record<string, string>>({});
  const [busy, setBusy] = useState(false);
  const domains = useDomains(now.domain ?? "");
  const domain = now.domain ?? (looked || (domains.items[0] ?? ""));
  const name = now.name ?? proposal(now.fullName);
  const address = fullAddress(name, domain);

  const saidKept = t`What was typed for the new user is kept until this page is left.`;
  // However the form was closed: by Esc, by a click on a row, by going to another screen.
  useEffect(() => () => void (begun(draft.get()) && toast(saidKept)), [saidKept]);

  const discard = () => {
    draft.set({ ...BLANK, domain: now.domain });
    setKept(false);
    setFaults({});
  };
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!name) return;
    setBusy(true);
    setFaults({});
    const chosen = now.shared.filter((each) => !now.without.includes(each.id));
    try {
      const { warnings } = await run("user", "add", {
        name: address,
        full_name: now.fullName,
        password: now.way === "link" ? null : now.password || null,
        ...(now.template ? { template: now.template, without: now.withoutGifts } : {}),
        ...asFields(chosen),
      });
      // The server's spelling of it.
      const user = await read<{ address: string }>("user", "show", { name: address });
      const linked = now.way === "link" ? await link(user.address, now.mailTo) : NO_LINK;
      const refused = [...linked.refused, ...(await join(user.address, chosen))];
      draft.set({ ...BLANK, domain: now.domain });
      added.set({
        address: user.address,
        password: now.way === "generated" ? now.password : "",
        link: linked.made,
        refused: [...warnings, ...refused],
      });
      onAdded(user.address);
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
        {kept && (
          <div className={css.kept}>
            <span>
              <Trans>This was typed before and not added.</Trans>
            </span>
            <Button small kind="quiet" onClick={discard}>
              <Trans>Begin anew</Trans>
            </Button>
          </div>
        )}
        <label htmlFor={`${id}full`}>
          <Trans>Full name</Trans>
        </label>
        <input
          id={`${id}full`}
          className="field"
          value={now.fullName}
          autoFocus
          {...about("full_name")}
          onChange={(event) => change({ fullName: event.target.value })}
        />
        {said("full_name")}
        <label htmlFor={`${id}name`}>
          <Trans>Address</Trans>
        </label>
        <div className={css.line}>
          <input
            id={`${id}name`}
            className="field"
            value={name}
            required
            spellCheck={false}
            autoCapitalize="none"
            {...about("name")}
            onChange={(event) => change({ name: event.target.value || null })}
          />
          {!name.includes("@") && (
            <DomainChoice {...domains} value={domain} onChange={(chosen) => change({ domain: chosen })} />
          )}
        </div>
        {now.fullName.trim() && !name && (
          <p className="muted">
            <Trans>No address can be made of this name: type one.</Trans>
          </p>
        )}
        {said("name")}
        <PasswordWay now={now} change={change} id={`${id}password`} about={about("password")} />
        {said("password")}
        <FromTemplate
          domain={address ? address.slice(address.lastIndexOf("@") + 1) : domain}
          fault={faults.template}
          {...{ now, change }}
        />
        <SameAs now={now} change={change} />
        {said("quota")}
        {said("rights")}
        {said("")}
        <div className={css.line}>
          <Button
            type="submit"
            kind="primary"
            busy={busy}
            disabledBecause={name ? undefined : t`A name or an address is needed`}
          >
            <Trans>Add user</Trans>
          </Button>
          <Button onClick={() => (draft.set(BLANK), onClose())}>
            <Trans>Cancel</Trans>
          </Button>
          <Button kind="quiet" onClick={onTable}>
            <Trans>Many from a CSV</Trans>
          </Button>
        </div>
      </form>
    </Drawer>
  );
}

const NO_LINK: { made: Link | null; refused: readonly string[] } = { made: null, refused: [] };

/** The user is there by now: what goes wrong with the link is told beside it. */
async function link(address: string, mailTo: string): Promise<typeof NO_LINK> {
  try {
    return { made: await makeLink(address, mailTo), refused: [] };
  } catch (error) {
    return { made: null, refused: [error instanceof Error ? error.message : String(error)] };
  }
}

interface Domains {
  readonly items: readonly string[];
  /** There are more than a menu has room for. */
  readonly many: boolean;
}

/** Domains that the new user may be in, the primary one first. */
function useDomains(typed: string): Domains {
  const who = useStore(me);
  const own = who?.domains ?? null;
  const [many, setMany] = useState(false);
  const search = many ? typed : "";
  const { data } = useQuery({
    queryKey: ["domains of a new user", search],
    enabled: own === null,
    queryFn: ({ signal }) =>
      read<Page<{ name: string }>>("domain", "list", { sort: "-primary", limit: MENU, search }, signal),
    staleTime: 60_000,
    retry: false,
    placeholderData: (before) => before,
  });
  useEffect(() => {
    if (data?.more) setMany(true);
  }, [data]);
  return { items: own ?? data?.items.map((each) => each.name) ?? [], many: many || (own?.length ?? 0) > MENU };
}

function DomainChoice({ items, many, value, onChange }: Domains & { value: string; onChange: (name: string) => void }) {
  const { t } = useLingui();
  const id = useId();
  if (many)
    return (
      <>
        <input
          className={`field ${css.domain}`}
          aria-label={t`Domain`}
          list={id}
          value={value}
          spellCheck={false}
          autoCapitalize="none"
          onChange={(event) => onChange(event.target.value)}
        />
        <datalist id={id}>
          {items.slice(0, MENU).map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      </>
    );
  if (items.length < 2) return value ? <span className={css.at}>@{value}</span> : null;
  return (
    <select
      className={`select ${css.domain}`}
      aria-label={t`Domain`}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    >
      {[...new Set([...items, ...(value ? [value] : [])])].map((each) => (
        <option key={each} value={each}>{`@${each}`}</option>
      ))}
    </select>
  );
}
