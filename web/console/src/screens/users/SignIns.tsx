/** "My phone can't sign in": attempts of this user, live, with why they failed and what mends it. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { read, run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { Moment, shortTime, span } from "@/parts/base/Moment.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { Verdict } from "@/parts/base/State.tsx";
import { FormSkeleton } from "@/parts/form/FormSkeleton.tsx";
import { type Attempt, recentFailures, type Run, runs, type SignIns as Told } from "./attempt.ts";
import css from "./SignIns.module.css";
import type { UserView } from "./user.ts";

interface Props {
  user: UserView;
  readOnly: string;
  /** The sentence where nothing is wrong. */
  calm: ReactNode;
  /** Stands between the sentence and the attempts. */
  children: ReactNode;
}

const EVERY = 3;

export function SignIns({ user, readOnly, calm, children }: Props) {
  const { t } = useLingui();
  const { data, error, refetch } = useQuery({
    queryKey: ["user", "sign-ins", user.address],
    queryFn: ({ signal }) => read<Told>("user", "sign-ins", { name: user.address, limit: 200 }, signal),
    retry: false,
    // One person reads while the other taps on the phone.
    refetchInterval: EVERY * 1000,
  });
  if (!data)
    return error ? (
      <>
        {calm}
        {children}
        <Failure what={t`The attempts could not be read.`} error={error} retry={() => void refetch()} />
      </>
    ) : (
      <FormSkeleton />
    );
  const unlock = async () => {
    try {
      const { result, warnings } = await run<{ text: string }>("user", "unlock", { name: user.address });
      toast([result.text, ...warnings].join(". "));
      await refetch();
    } catch (failed) {
      toast(failed instanceof Error ? failed.message : String(failed), "failed");
    }
  };
  const lines = runs(data.items);
  return (
    <>
      <Summary told={data} user={user} calm={calm} unlock={readOnly ? null : () => void unlock()} />
      {children}
      <h3>
        <Trans>Attempts of the last 7 days</Trans>
      </h3>
      {lines.length ? (
        <ul className={css.runs}>
          {lines.map((each) => (
            <Line
              key={`${each.last.at}${each.last.name}${each.last.address}${each.last.service}${each.first}`}
              run={each}
              user={user}
            />
          ))}
        </ul>
      ) : (
        <p className="muted">
          <Trans>Nobody has tried in this time. A new attempt appears here within seconds.</Trans>
        </p>
      )}
      {data.more && (
        <p className="muted">
          <Trans>Earlier ones stand in the security log.</Trans>
        </p>
      )}
      {data.note && <p className="warn">{data.note}</p>}
    </>
  );
}

/** The sentence: how it is now, and the button that helps. */
function Summary({
  told,
  user,
  calm,
  unlock,
}: {
  told: Told;
  user: UserView;
  calm: ReactNode;
  unlock: (() => void) | null;
}) {
  const { t } = useLingui();
  const mend = useMend(user);
  const failed = recentFailures(told.items, user.address);
  const hosts = new Set(failed.map((each) => each.address)).size;
  const last = failed[0];
  const locked = told.locked.map((each) => each.address).join(", ");
  if (user.enabled === false || user.has_password === false) return calm;
  if (told.locked.length)
    return (
      <Verdict mood="error" icon="lock" title={t`Locked out from ${locked}`}>
        <p>
          <Trans>After too many failures. It ends by itself {span(told.window)} after the last one.</Trans>{" "}
          {told.locked.some((each) => each.everybody) &&
            t`This address failed under many names: it stays locked for everybody until then.`}
        </p>
        {unlock && told.locked.some((each) => !each.everybody) && (
          <div className={css.buttons}>
            <Button icon="unlock" onClick={unlock}>
              <Trans>Unlock</Trans>
            </Button>
          </div>
        )}
      </Verdict>
    );
  if (last)
    return (
      <Verdict
        mood="warn"
        title={
          <Plural
            value={failed.length}
            one={`# failed attempt since ${shortTime(new Date(failed.at(-1)?.at ?? last.at))}`}
            other={`# failed attempts since ${shortTime(new Date(failed.at(-1)?.at ?? last.at))}`}
          />
        }
      >
        <p>
          <Plural value={hosts} one="From # address." other="From # addresses." /> {mend(last)}
        </p>
      </Verdict>
    );
  return calm;
}

const ICON = { ok: "ok", failed: "error", locked: "lock" } as const;

function Line({ run: { last, count, first }, user }: { run: Run; user: UserView }) {
  const { t } = useLingui();
  const mend = useMend(user);
  const cause = useCause();
  const service = last.service.toUpperCase();
  const other = last.name.toLowerCase() !== user.address.toLowerCase();
  return (
    <li>
      <span className={last.outcome === "ok" ? "ok" : "error"}>
        <Icon name={ICON[last.outcome]} label={last.outcome === "ok" ? t`Signed in` : t`Failed`} />
      </span>
      <b>
        {service}: {cause(last)}
        {count > 1 && ` × ${count}`}
      </b>
      <span>
        {count > 1 && (
          <>
            <Moment at={first} /> –{" "}
          </>
        )}
        <Moment at={last.at} />
      </span>
      <p>
        {other ? t`as ${last.name} from ${last.address}` : t`from ${last.address}`}
        {last.method && ` (${last.method})`}
        {last.outcome !== "ok" && mend(last) && <>. {mend(last)}</>}
      </p>
    </li>
  );
}

/** What was wrong, in a few words. */
function useCause(): (attempt: Attempt) => string {
  const { t } = useLingui();
  return (attempt) => {
    if (attempt.outcome === "ok") return t`signed in`;
    const words: Record<string, string> = {
      password: t`wrong password`,
      name: t`nobody has this name`,
      domain: t`a name in another domain`,
      disabled: t`sign-in is off`,
      locked: t`locked out`,
      client: t`the program spoke another method`,
    };
    return words[attempt.cause] ?? attempt.reason;
  };
}

function useMend(user: UserView): (attempt: Attempt) => string {
  const { t } = useLingui();
  const { address } = user;
  return (attempt) => {
    switch (attempt.cause) {
      case "password":
        return t`Type it anew where the program keeps it, or set a new one below.`;
      case "name":
        return t`If ${address} was meant: correct the name in the program.`;
      case "domain":
        return t`The name to sign in with is ${address}.`;
      case "disabled":
        return user.enabled === false ? t`Let the user sign in again, in the menu above.` : t`It is on again by now.`;
      case "locked":
        return t`Too many failures came before: unlock, or wait.`;
      case "client":
        return t`Choose another method of signing in in the program.`;
      default:
        return "";
    }
  };
}
