/** The new user is there: what to tell the colleague, and whether the first sign-in has come. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { read, runStream } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { me, reaches } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Moment } from "@/parts/base/Moment.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { Qr } from "@/parts/qr/Qr.tsx";
import { State, Verdict } from "@/parts/base/State.tsx";
import { Drawer, Facts } from "@/parts/drawer/Drawer.tsx";
import { FormSkeleton } from "@/parts/form/FormSkeleton.tsx";
import { type Service, type Way, waysIn } from "./access.ts";
import { added } from "./draft.ts";
import type { Link } from "./link.ts";
import { LinkShown } from "./LinkShown.tsx";
import css from "./Ready.module.css";
import type { UserView } from "./user.ts";

/** Seconds between two looks for the first sign-in. */
const EVERY = 3;

interface Props {
  address: string;
  onClose: () => void;
  onAnother: () => void;
  onOpen: () => void;
}

export default function Ready({ address, onClose, onAnother, onOpen }: Props) {
  const { t } = useLingui();
  const who = useStore(me);
  const last = useStore(added);
  const made = last?.address === address ? last : null;
  const {
    data: user,
    error,
    refetch,
  } = useQuery({
    queryKey: ["user", "ready", address],
    queryFn: ({ signal }) => read<UserView>("user", "show", { name: address }, signal),
    retry: false,
    refetchInterval: EVERY * 1000,
  });
  const { data: services } = useQuery({
    queryKey: ["service", "ways in"],
    queryFn: ({ signal }) => read<{ items: readonly Service[] }>("service", "list", {}, signal),
    enabled: reaches(who, "server-read"),
    retry: false,
  });
  const [sending, setSending] = useState(false);
  const host = who?.server.hostname ?? "";
  // One that was used or revoked is nothing to hand over any more.
  const link = user?.password_link_expires ? (made?.link ?? null) : null;
  const ways = services ? waysIn(services.items) : [];

  const testMail = async () => {
    setSending(true);
    try {
      let said = "";
      for await (const step of runStream<{ text: string }>("test", "mail", { address, seconds: 20 })) said = step.text;
      toast(said);
    } catch (failed) {
      toast(failed instanceof Error ? failed.message : String(failed), "failed");
    } finally {
      setSending(false);
    }
  };
  return (
    <Drawer title={user?.full_name || address} subtitle={address} label={t`New user`} onClose={onClose}>
      {error && !user && <Failure what={t`The user could not be read.`} error={error} retry={() => void refetch()} />}
      {!error && !user && <FormSkeleton />}
      {user && (
        <div className={css.ready}>
          <Head user={user} />
          {made && made.refused.length > 0 && (
            <ul className={`warn ${css.refused}`}>
              {made.refused.map((each) => (
                <li key={each}>{each}</li>
              ))}
            </ul>
          )}
          {link && (
            <section aria-label={t`Link to set the password`}>
              <LinkShown made={link} onMade={(newer) => made && added.set({ ...made, link: newer })} />
            </section>
          )}
          <Facts
            facts={[
              [t`User name`, address],
              made?.password ? [t`Password`, <Once key="once" password={made.password} />] : null,
              [t`Server`, host],
              ...ways.map((way) => [way.protocol, wayWords(way, t`with TLS`, t`with STARTTLS`)] as const),
            ]}
          />
          <div className={css.buttons}>
            <Button kind="primary" icon="plus" onClick={onAnother}>
              <Trans>Add another</Trans>
            </Button>
            {reaches(who, "server-write") && (
              <Button busy={sending} onClick={() => void testMail()}>
                <Trans>Send test mail</Trans>
              </Button>
            )}
            <Button onClick={() => print()}>
              <Trans>Print a letter</Trans>
            </Button>
            <Button kind="quiet" onClick={onOpen}>
              <Trans>All settings</Trans>
            </Button>
          </div>
          <Letter user={user} host={host} ways={ways} password={made?.password ?? ""} link={link} />
        </div>
      )}
    </Drawer>
  );
}

const wayWords = (way: Way, implicit: string, starttls: string) => `${way.port}, ${way.implicit ? implicit : starttls}`;

function Head({ user }: { user: UserView }) {
  const { address } = user;
  const able = user.has_password && user.enabled !== false;
  const until = user.password_link_expires;
  return (
    <>
      {able ? (
        <Verdict mood="ok" title={<Trans>{address} can sign in.</Trans>} />
      ) : until ? (
        <Verdict mood="info" icon="mail" title={<Trans>{address} receives mail.</Trans>}>
          <p>
            {user.password_link_sent_to ? (
              <Trans>
                Link sent to {user.password_link_sent_to}, expires <Moment at={until} />
              </Trans>
            ) : (
              <Trans>
                The colleague signs in once the link below was used; it expires <Moment at={until} />.
              </Trans>
            )}
          </p>
        </Verdict>
      ) : (
        <Verdict mood="warn" title={<Trans>{address} receives mail.</Trans>}>
          <p>
            <Trans>Nobody can sign in yet: the user has no password, or sign-in is off.</Trans>
          </p>
        </Verdict>
      )}
      <p role="status">
        {user.last_sign_in ? (
          <State mood="ok">
            <Trans>
              Signed in at <Moment at={user.last_sign_in} /> from {user.last_address} by{" "}
              {(user.last_service ?? "").toUpperCase()}
            </Trans>
          </State>
        ) : (
          <State mood="muted" icon="clock">
            <Trans>Not signed in yet</Trans>
          </State>
        )}
      </p>
    </>
  );
}

function Once({ password }: { password: string }) {
  const { t } = useLingui();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(password).then(
      () => setCopied(true),
      () => undefined,
    );
  };
  return (
    <span className={css.once}>
      <code>{password}</code>
      <Button small kind="quiet" onClick={() => void copy()}>
        {copied ? t`Copied` : t`Copy`}
      </Button>
      <span className="muted">
        <Trans>Shown this once: it is stored as something that cannot be turned back into it.</Trans>
      </span>
    </span>
  );
}

/** What is printed, and nothing else of the page. */
function Letter({
  user,
  host,
  ways,
  password,
  link,
}: {
  user: UserView;
  host: string;
  ways: readonly Way[];
  password: string;
  link: Link | null;
}) {
  const { t } = useLingui();
  const { address } = user;
  return (
    <article className={css.letter} aria-hidden="true">
      <h1>
        <Trans>Your mailbox</Trans>
      </h1>
      <p>{user.full_name}</p>
      <dl>
        <dt>{t`Address and user name`}</dt>
        <dd>{address}</dd>
        {password && (
          <>
            <dt>{t`Password`}</dt>
            <dd>{password}</dd>
          </>
        )}
        {link && (
          <>
            <dt>{t`Set your password here first`}</dt>
            <dd>{link.link}</dd>
            <dd>
              <Qr text={link.link} label={t`The link as a QR code`} />
            </dd>
          </>
        )}
        <dt>{t`Server`}</dt>
        <dd>{host}</dd>
        {ways.map((way) => [
          <dt key="name">{way.protocol}</dt>,
          <dd key="way">{wayWords(way, t`with TLS`, t`with STARTTLS`)}</dd>,
        ])}
      </dl>
      <p>
        <Trans>Type these where your mail program asks for an account. The user name is the whole address.</Trans>
      </p>
    </article>
  );
}
