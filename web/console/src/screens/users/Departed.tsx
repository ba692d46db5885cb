/** At the head of a user who has left: what was decided. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Verdict } from "@/parts/base/State.tsx";
import type { UserView } from "./user.ts";
import css from "./users.module.css";

export function Departed({ user }: { user: UserView }) {
  const { t } = useLingui();
  const to = (user.forward_to ?? []).join(", ");
  const [colleague, ...folder] = (user.given_to ?? "").split("/");
  return (
    <div className={css.departed}>
      <Verdict mood="muted" icon="ban" title={t`Has left: sign-in is off`}>
        <p className="muted">
          {user.refusal ? (
            <Trans>Mail is refused with: {user.refusal}</Trans>
          ) : to ? (
            <Trans>Mail goes to {to}.</Trans>
          ) : (
            <Trans>Mail is kept in the mailbox.</Trans>
          )}
        </p>
        {folder.length > 0 && (
          <p className="muted">
            <Trans>
              {colleague} got a copy of the mailbox, in the folder {folder.join("/")}.
            </Trans>
          </p>
        )}
        {user.delete_on && (
          <p className="muted">
            <Trans>The user is removed on {user.delete_on}, the mail a day later.</Trans>
          </p>
        )}
      </Verdict>
    </div>
  );
}
