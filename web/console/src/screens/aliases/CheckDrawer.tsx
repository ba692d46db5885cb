/** Any address: where it leads, step by step, as delivery would decide it now. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useEffect, useState } from "react";
import { Notice } from "@/parts/base/Notice.tsx";
import { Drawer } from "@/parts/drawer/Drawer.tsx";
import { AddressInput } from "@/parts/people/AddressInput.tsx";
import { AddressWay } from "@/parts/people/Way.tsx";
import css from "./Check.module.css";

const TYPING = 300;

interface Props {
  address: string;
  onAddress: (address: string) => void;
  onClose: () => void;
}

export default function CheckDrawer({ address, onAddress, onClose }: Props) {
  const { t } = useLingui();
  const [typed, setTyped] = useState(address);
  useEffect(() => {
    if (typed.trim() === address) return undefined;
    const timer = setTimeout(() => onAddress(typed.trim()), TYPING);
    return () => clearTimeout(timer);
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- only what is typed counts
  }, [typed, address]);
  return (
    <Drawer
      title={t`Check an address`}
      label={t`Check an address`}
      subtitle={t`Where mail to it goes, as the server decides it`}
      onClose={onClose}
    >
      <div className={css.input}>
        <AddressInput label={t`Address`} placeholder={t`Any address`} value={typed} onChange={setTyped} autoFocus />
      </div>
      {address ? (
        <AddressWay address={address} />
      ) : (
        <Notice icon="branch" title={<Trans>Type any address.</Trans>}>
          <p>
            <Trans>
              Users, aliases, groups, catch-alls, names with a tag, addresses elsewhere: the rules that deliver mail are
              asked, and nothing is sent.
            </Trans>
          </p>
        </Notice>
      )}
    </Drawer>
  );
}
