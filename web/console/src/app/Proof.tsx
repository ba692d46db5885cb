/** Rights, exports and other people's mail want the password once more; what waits for it then goes on. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { me, prove, proving, refuseProof } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { SignInForm } from "./SignInForm.tsx";

export function Proof() {
  const { t } = useLingui();
  const wanted = useStore(proving);
  const who = useStore(me);
  return (
    <Dialog
      opened={wanted && !!who}
      onClose={() => refuseProof(t`Nothing was done: the password was not given.`)}
      title={t`Your password, please`}
      size={420}
    >
      <p>
        <Trans>
          This reaches further than most: the server wants to know that it is still you. It does not ask again for some
          minutes.
        </Trans>
      </p>
      <SignInForm name={who?.name ?? ""} act={(_name, password) => prove(password)} verb={<Trans>Go on</Trans>} />
    </Dialog>
  );
}
