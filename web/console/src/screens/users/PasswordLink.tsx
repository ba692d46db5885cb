/** In the drawer: whether a link to set the password is open, a new one, and its end. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Moment } from "@/parts/base/Moment.tsx";
import { State } from "@/parts/base/State.tsx";
import css from "./Access.module.css";
import { type Link, makeLink } from "./link.ts";
import { LinkShown } from "./LinkShown.tsx";
import type { UserView } from "./user.ts";

export function PasswordLink({ user, onChanged }: { user: UserView; onChanged: () => void }) {
  const { t } = useLingui();
  const [made, setMade] = useState<Link | null>(null);
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const until = user.password_link_expires;
  const shut = user.enabled === false || user.left === true;
  const work = async (what: () => Promise<unknown>) => {
    setBusy(true);
    setFault("");
    try {
      await what();
      onChanged();
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  const make = () => work(async () => setMade(await makeLink(user.address)));
  const revoke = () =>
    work(async () => {
      await run("user", "password-link-revoke", { name: user.address });
      setMade(null);
      toast(t`The link of ${user.address} opens nothing any more`);
    });
  return (
    <div className={css.form}>
      <h3>
        <Trans>Link to set the password</Trans>
      </h3>
      {until ? (
        <div role="status">
          <State mood="info" icon="clock">
            {user.password_link_sent_to ? (
              <Trans>
                Link sent to {user.password_link_sent_to}, expires <Moment at={until} />
              </Trans>
            ) : (
              <Trans>
                Link made, expires <Moment at={until} />
              </Trans>
            )}
          </State>
        </div>
      ) : (
        <p className="muted">
          <Trans>By it the user sets the password, once, and nobody else has to know it.</Trans>
        </p>
      )}
      {made && until && (
        <div>
          <LinkShown made={made} onMade={(link) => (setMade(link), onChanged())} />
        </div>
      )}
      <div>
        <Button
          busy={busy}
          disabledBecause={shut ? t`Sign-in is off: a link would open nothing` : undefined}
          onClick={() => void make()}
        >
          {until ? <Trans>Make a new link</Trans> : <Trans>Make a link</Trans>}
        </Button>
        {until && (
          <Button kind="quiet" busy={busy} onClick={() => void revoke()}>
            <Trans>Revoke the link</Trans>
          </Button>
        )}
      </div>
      <p className="error" role="alert">
        {fault}
      </p>
    </div>
  );
}
