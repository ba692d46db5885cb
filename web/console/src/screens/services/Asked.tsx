/** The server's own question before sessions are ended. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { Button } from "@/parts/base/Button.tsx";
import css from "./Services.module.css";

interface Props {
  text: string;
  verb: string;
  connections: number;
  /** It is what serves this page. */
  here: boolean;
  onYes: () => void;
  onNo: () => void;
}

export function Asked({ text, verb, connections, here, onYes, onNo }: Props) {
  const { t } = useLingui();
  return (
    <Dialog opened onClose={onNo} title={t`${verb}?`}>
      <p>{text}</p>
      {connections > 0 && (
        <p className="muted">
          <Plural value={connections} one="# connection is open now." other="# connections are open now." />
        </p>
      )}
      {here && (
        <p className="warn">
          <Trans>
            This page comes from it. To start it again, run <code>whimbrel service start console</code> at the server.
          </Trans>
        </p>
      )}
      <div className={css.answers}>
        <Button onClick={onNo}>
          <Trans>Cancel</Trans>
        </Button>
        <Button kind="danger" icon="stop" onClick={onYes}>
          {verb}
        </Button>
      </div>
    </Dialog>
  );
}
