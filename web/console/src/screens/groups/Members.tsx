/** Who is in a group: each with what the address is, added and taken out one by one. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { Button, IconButton } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import type { IconName } from "@/parts/base/icons.ts";
import { Notice } from "@/parts/base/Notice.tsx";
import { Verdict } from "@/parts/base/State.tsx";
import { AddressInput, addressesIn } from "@/parts/people/AddressInput.tsx";
import { direct, domainOf, full, type Step, useWay } from "@/parts/people/way.ts";
import { useStepWords, WayVerdict } from "@/parts/people/Way.tsx";
import { type GroupRow, matching } from "./group.ts";
import css from "./Members.module.css";

/** From so many on there is a field to find one; more than MOST are not drawn at once. */
const FIND = 12;
const MOST = 200;

interface Props {
  group: GroupRow;
  readOnly: string;
  onChanged: () => void;
  onOpen: (name: string) => void;
}

export function Members({ group, readOnly, onChanged, onOpen }: Props) {
  const { t } = useLingui();
  const name = group.group;
  const way = useWay(name);
  const [sought, setSought] = useState("");
  const [most, setMost] = useState(MOST);
  const kinds = direct(way.data?.steps ?? []);
  const members = matching(group.members, sought);
  const change = async (body: object, said: string) => {
    const { warnings } = await run("group", "set", { name, ...body });
    toast([said, ...warnings].join(". "), warnings.length ? "failed" : "done");
    onChanged();
  };
  const remove = async (member: string) => {
    try {
      await run("group", "set", { name, remove_member: [member] });
      toast(t`${member} is taken out of ${name}`, "undo", async () => {
        await run("group", "set", { name, add_member: [member] });
        toast(t`${member} is back in ${name}`, "undone");
        onChanged();
      });
      onChanged();
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), "failed");
    }
  };
  return (
    <>
      {group.members.length === 0 ? (
        <Verdict mood="warn" title={t`Nobody is in it: mail to ${name} is refused`} />
      ) : (
        way.data && <WayVerdict way={way.data} address={name} />
      )}
      {!readOnly && (
        <AddMember
          onAdd={(added) =>
            change(
              { add_member: added },
              added.length === 1 ? t`${added[0] ?? ""} is in ${name}` : t`${added.length} members are added`,
            )
          }
        />
      )}
      {group.members.length >= FIND && (
        <input
          className={`field ${css.find}`}
          aria-label={t`Find a member`}
          placeholder={t`Find a member`}
          value={sought}
          spellCheck={false}
          onChange={(event) => setSought(event.target.value)}
        />
      )}
      <ul className={css.members} aria-label={t`Members`}>
        {members.slice(0, most).map((member) => (
          <Member
            key={member}
            member={member}
            step={kinds.get(full(member, domainOf(name)).toLowerCase())}
            onOpen={onOpen}
            onRemove={readOnly ? null : () => void remove(member)}
          />
        ))}
      </ul>
      {members.length > most && (
        <Button small onClick={() => setMost(members.length)}>
          <Plural value={members.length} one="Show the member" other="Show all # members" />
        </Button>
      )}
      {sought && !members.length && <Notice title={t`Nobody in it is called “${sought}”.`} />}
    </>
  );
}

const ICON: Partial<Record<Step["kind"], IconName>> = {
  group: "users",
  alias: "at",
  forwarding: "right",
  elsewhere: "send",
  refused: "error",
  hidden: "lock",
};

interface MemberProps {
  member: string;
  /** What the server knows of it; not yet, or no more than a thousand are asked. */
  step: Step | undefined;
  onOpen: (name: string) => void;
  onRemove: (() => void) | null;
}

function Member({ member, step, onOpen, onRemove }: MemberProps) {
  const { t } = useLingui();
  const words = useStepWords();
  const address = step?.address ?? member;
  return (
    <li data-mood={step?.kind === "refused" ? "error" : undefined}>
      <Icon name={(step && ICON[step.kind]) ?? "user"} />
      <div>
        <b>
          {step?.kind === "group" ? (
            <button type="button" className="link" onClick={() => onOpen(address)}>
              {member}
            </button>
          ) : step?.kind === "user" || step?.kind === "forwarding" ? (
            <Link
              className="link"
              to="/users"
              search={{ open: step.leads_to[0] && step.kind === "user" ? step.leads_to[0] : address } as never}
            >
              {member}
            </Link>
          ) : (
            member
          )}
        </b>
        {step && step.kind !== "user" && <p>{words(step)}</p>}
      </div>
      {onRemove && <IconButton icon="close" label={t`Remove ${member}`} onClick={onRemove} />}
    </li>
  );
}

function AddMember({ onAdd }: { onAdd: (members: readonly string[]) => Promise<void> }) {
  const { t } = useLingui();
  const [text, setText] = useState("");
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const add = async (members: readonly string[]) => {
    if (!members.length) return;
    setBusy(true);
    setFault("");
    try {
      await onAdd(members);
      setText("");
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void add(addressesIn(text));
  };
  return (
    <form onSubmit={submit}>
      <div className={css.add}>
        <AddressInput
          label={t`New member`}
          placeholder={t`Name or address, or paste many`}
          value={text}
          onChange={setText}
          onTake={(members) => void add(members)}
          invalid={!!fault}
        />
        <Button
          type="submit"
          icon="plus"
          busy={busy}
          disabledBecause={text.trim() ? undefined : t`Type an address first`}
        >
          <Trans>Add</Trans>
        </Button>
      </div>
      <p className="error" role="alert">
        {fault}
      </p>
    </form>
  );
}
