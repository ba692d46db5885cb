/** A difference over the whole width, in one column or two. */
import { Trans, useLingui } from "@lingui/react/macro";
import { type ReactNode, useState } from "react";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { Button } from "@/parts/base/Button.tsx";
import { Diff } from "@/parts/diff/Diff.tsx";
import dialog from "@/parts/form/dialog.module.css";
import css from "./Files.module.css";

interface Props {
  title: string;
  text: string;
  remarks?: (right: string) => ReadonlyMap<number, string>;
  footer?: ReactNode;
  onClose: () => void;
}

export function WideDiff({ title, text, remarks, footer, onClose }: Props) {
  const { t } = useLingui();
  const [two, setTwo] = useState(() => innerWidth >= 1000);
  return (
    <Dialog opened onClose={onClose} title={title} size={1280}>
      <div className={css.views} role="group" aria-label={t`View`}>
        <button type="button" aria-pressed={two} onClick={() => setTwo(true)}>
          <Trans>Side by side</Trans>
        </button>
        <button type="button" aria-pressed={!two} onClick={() => setTwo(false)}>
          <Trans>One column</Trans>
        </button>
      </div>
      <Diff text={text} two={two} scrolls {...(remarks ? { remarks } : {})} />
      <div className={dialog.buttons}>
        <Button onClick={onClose}>
          <Trans>Close</Trans>
        </Button>
        {footer}
      </div>
    </Dialog>
  );
}
