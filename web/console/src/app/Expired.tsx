/** The session ended in the midst of work: sign in again, then the requests that wait are sent. Nothing typed is lost. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { expired, giveUp, me } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { SignInForm } from "./SignInForm.tsx";

export function Expired() {
  const { t } = useLingui();
  const over = useStore(expired);
  const who = useStore(me);
  return (
    <Dialog
      opened={over && !!who}
      onClose={() => undefined}
      withCloseButton={false}
      closeOnEscape={false}
      closeOnClickOutside={false}
      title={t`Your session has ended`}
      size={420}
    >
      <p>
        <Trans>Sign in again to go on where you were. What you have typed is kept.</Trans>
      </p>
      <SignInForm name={who?.name ?? ""} />
      <p style={{ marginTop: 12 }}>
        <button type="button" className="link" onClick={giveUp}>
          <Trans>Leave, and lose what is not saved</Trans>
        </button>
      </p>
    </Dialog>
  );
}
