/** Where a user is signed in at this moment: mail programs, and the console. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { type Page, read, run } from "@/api/admin.ts";
import { useFresh } from "@/api/live.ts";
import { toast } from "@/api/operations.ts";
import { Button, IconButton } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { Moment, octets, span } from "@/parts/base/Moment.tsx";
import { Failure, Notice } from "@/parts/base/Notice.tsx";
import { Verdict } from "@/parts/base/State.tsx";
import { FormSkeleton } from "@/parts/form/FormSkeleton.tsx";
import css from "./SignIns.module.css";

interface Connection {
  readonly id: string;
  readonly service: string;
  readonly user: string;
  readonly address: string;
  readonly tls: string;
  readonly since: string;
  readonly idle: number;
  readonly command: string;
  readonly received: number;
  readonly sent: number;
}

interface Session {
  readonly id: string;
  readonly address: string;
  readonly browser: string;
  readonly began: string;
  readonly used: string;
}

interface Now {
  readonly connections: readonly Connection[];
  readonly sessions: readonly Session[];
}

const EVERY = 5;

export function Sessions({ address, readOnly }: { address: string; readOnly: string }) {
  const { t } = useLingui();
  const { data, error, refetch } = useQuery({
    queryKey: ["user", "sessions", address],
    queryFn: async ({ signal }): Promise<Now> => {
      const [connections, sessions] = await Promise.all([
        read<Page<Connection>>("connection", "list", { user: address, limit: 500 }, signal),
        read<Page<Session>>("admin", "session-list", { user: address }, signal),
      ]);
      // The list finds parts of names too.
      const own = connections.items.filter((each) => each.user.toLowerCase() === address.toLowerCase());
      return { connections: own, sessions: sessions.items };
    },
    retry: false,
  });
  const again = () => void refetch();
  useFresh("connections", again, EVERY);
  if (!data)
    return error ? <Failure what={t`The sessions could not be read.`} error={error} retry={again} /> : <FormSkeleton />;
  const end = async (calls: readonly (readonly [string, string, object])[], said: string) => {
    const done = await Promise.allSettled(calls.map(([noun, verb, body]) => run(noun, verb, body)));
    const failed = done.find((each): each is PromiseRejectedResult => each.status === "rejected");
    if (failed) toast(failed.reason instanceof Error ? failed.reason.message : String(failed.reason), "failed");
    else toast(said);
    again();
  };
  const { connections, sessions } = data;
  if (!connections.length && !sessions.length)
    return (
      <Notice icon="plug" title={<Trans>Nobody is signed in as {address} now.</Trans>}>
        <p>
          <Trans>Connections of mail programs and sessions of the console appear here while they last.</Trans>
        </p>
      </Notice>
    );
  const everything = () =>
    end(
      [
        ...(connections.length ? [["connection", "disconnect", { user: address }] as const] : []),
        ...(sessions.length ? [["admin", "session-end", { user: address }] as const] : []),
      ],
      t`${address} is signed out everywhere; programs that know the password may come again`,
    );
  const places = new Set([...connections, ...sessions].map((each) => each.address)).size;
  const count = connections.length + sessions.length;
  return (
    <>
      <Verdict
        mood="info"
        icon="plug"
        title={<Plural value={count} one="# session is open" other="# sessions are open" />}
      >
        <p>
          <Plural value={places} one="From # address." other="From # addresses." />
        </p>
        {!readOnly && (
          <div className={css.buttons}>
            <Button icon="signout" kind="danger" onClick={() => void everything()}>
              <Trans>Sign out everywhere</Trans>
            </Button>
          </div>
        )}
      </Verdict>
      {connections.length > 0 && (
        <>
          <h3>
            <Trans>Mail programs</Trans>
          </h3>
          <ul className={css.runs}>
            {connections.map((each) => (
              <li key={each.id}>
                <Icon name="mail" />
                <b>
                  {t`${each.service.toUpperCase()} from ${each.address}`}
                  <span className="muted">
                    {" · "}
                    <Moment at={each.since} />
                  </span>
                </b>
                {!readOnly ? (
                  <IconButton
                    icon="close"
                    label={t`Disconnect ${each.service.toUpperCase()} from ${each.address}`}
                    onClick={() => void end([["connection", "disconnect", { ids: [each.id] }]], t`Disconnected`)}
                  />
                ) : (
                  <span />
                )}
                <p>
                  {[
                    each.command ? t`at ${each.command}` : t`idle for ${span(each.idle)}`,
                    each.tls || t`no TLS`,
                    t`${octets(each.received)} in, ${octets(each.sent)} out`,
                  ].join(", ")}
                </p>
              </li>
            ))}
          </ul>
        </>
      )}
      {sessions.length > 0 && (
        <>
          <h3>
            <Trans>Console</Trans>
          </h3>
          <ul className={css.runs}>
            {sessions.map((each) => (
              <li key={each.id}>
                <Icon name="globe" />
                <b>
                  {t`Console from ${each.address}`}
                  <span className="muted">
                    {" · "}
                    <Moment at={each.began} />
                  </span>
                </b>
                {!readOnly ? (
                  <IconButton
                    icon="close"
                    label={t`Sign out the console from ${each.address}`}
                    onClick={() => void end([["admin", "session-end", { ids: [each.id] }]], t`Signed out`)}
                  />
                ) : (
                  <span />
                )}
                <p>
                  {each.browser} · <Trans>last used</Trans> <Moment at={each.used} />
                </p>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}
