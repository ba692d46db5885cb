/** The way of an address, step by step, as delivery decides it: a tree that is read from above. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { ApiError } from "@shared/errors.ts";
import { type CSSProperties, useState } from "react";
import { Button } from "../base/Button.tsx";
import { Icon } from "../base/Icon.tsx";
import type { IconName } from "../base/icons.ts";
import { Failure } from "../base/Notice.tsx";
import { Verdict } from "../base/State.tsx";
import { FormSkeleton } from "../form/FormSkeleton.tsx";
import { detail, type Resolution, type Step, type StepKind, tagged, useWay } from "./way.ts";
import css from "./Way.module.css";

/** More steps are shown when asked for. */
const FEW = 60;

const ICON: Record<StepKind, IconName> = {
  user: "user",
  forwarding: "right",
  alias: "at",
  group: "users",
  "catch-all": "globe",
  postmaster: "key",
  elsewhere: "send",
  refused: "error",
  hidden: "lock",
};

/** Asks, and shows. */
export function AddressWay({ address, verdict = true }: { address: string; verdict?: boolean }) {
  const { t } = useLingui();
  const { data, error, refetch } = useWay(address);
  if (data)
    return (
      <>
        {verdict && <WayVerdict way={data} address={address} />}
        <Steps steps={data.steps} />
      </>
    );
  // Asking again changes nothing where it is a matter of rights, or of what was typed.
  const lasting = error instanceof ApiError && error.status >= 400 && error.status < 429;
  if (error)
    return (
      <Failure
        what={t`Where it leads could not be asked.`}
        error={error}
        {...(lasting ? {} : { retry: () => void refetch() })}
      />
    );
  return <FormSkeleton />;
}

/** The sentence above: who gets it, or why nobody does. */
export function WayVerdict({ way, address }: { way: Resolution; address: string }) {
  const { t } = useLingui();
  const { mailboxes, remote, problems } = way;
  const count = mailboxes.length + remote.length;
  const hidden = way.steps.some((step) => step.kind === "hidden");
  const outside = way.steps[0]?.kind === "elsewhere";
  const trouble = problems.map((problem) => (
    <p key={problem} className={count ? "warn" : "error"}>
      {problem}
    </p>
  ));
  if (outside) return <Verdict mood="info" icon="send" title={t`${address} is not ours: mail to it is sent on`} />;
  if (!count && !hidden)
    return (
      <Verdict mood="error" title={t`Mail to ${address} is refused`}>
        {trouble}
      </Verdict>
    );
  const title = hidden ? (
    <Trans>Part of it leads to domains that you do not administer</Trans>
  ) : mailboxes.length && remote.length ? (
    t`Leads to ${mailboxes.length} here and ${remote.length} elsewhere`
  ) : remote.length ? (
    <Plural value={remote.length} one="Leads to # address elsewhere" other="Leads to # addresses elsewhere" />
  ) : (
    <Plural value={mailboxes.length} one="Leads to # mailbox" other="Leads to # mailboxes" />
  );
  return (
    <Verdict mood={problems.length ? "warn" : hidden ? "info" : "ok"} title={title}>
      {trouble}
    </Verdict>
  );
}

export function Steps({ steps }: { steps: readonly Step[] }) {
  const [whole, setWhole] = useState(false);
  const shown = whole ? steps : steps.slice(0, FEW);
  return (
    <>
      <ul className={css.way}>
        {shown.map((step, at) => (
          // oxlint-disable-next-line react/no-array-index-key -- an address may be met twice
          <StepRow key={at} step={step} />
        ))}
      </ul>
      {shown.length < steps.length && (
        <p className={css.more}>
          <Button small onClick={() => setWhole(true)}>
            <Plural value={steps.length} one="Show the step" other="Show all # steps" />
          </Button>
        </p>
      )}
    </>
  );
}

function StepRow({ step }: { step: Step }) {
  const words = useStepWords();
  return (
    <li data-mood={step.kind === "refused" ? "error" : undefined} style={{ "--depth": step.depth } as CSSProperties}>
      <Icon name={ICON[step.kind] ?? "info"} />
      <div>
        <b>{step.address}</b>
        <p>{words(step)}</p>
      </div>
    </li>
  );
}

/** What an address is, in words. */
export function useStepWords(): (step: Step) => string {
  const { t } = useLingui();
  return (step) => {
    const name = detail(step);
    const count = step.leads_to.length;
    const first = step.leads_to[0] ?? "";
    const to = count > 1 ? t`${first} and ${count - 1} more` : first;
    const tag = tagged(step) ? t`, with a tag` : "";
    switch (step.kind) {
      case "user":
        return (first && first !== step.address ? t`mailbox of ${first}` : t`mailbox`) + tag;
      case "forwarding":
        return (step.keeps ? t`user who keeps a copy and forwards to ${to}` : t`user who forwards to ${to}`) + tag;
      case "alias":
        return (name ? t`taken by the alias ${name}, leads to ${to}` : t`alias, leads to ${to}`) + tag;
      case "group":
        return count === 1 ? t`group with 1 member` : t`group with ${count} members`;
      case "catch-all":
        return t`nobody has this name; the catch-all takes it: ${to}`;
      case "postmaster":
        return t`an address that nobody has: the administrators get it`;
      case "elsewhere":
        return t`elsewhere: sent on`;
      case "refused":
        return name ? t`refused: ${name}` : t`refused`;
      case "hidden":
        return t`in a domain here that you do not administer`;
      default:
        return step.is_a;
    }
  };
}
