/** One line, whole: its fields, where its ids lead, a link to it. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { toast } from "@/api/operations.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Drawer } from "@/parts/drawer/Drawer.tsx";
import { fieldsOf, type LogLine, nameOf, parsed } from "./line.ts";
import css from "./Logs.module.css";

interface Props {
  line: LogLine;
  onFilter: (text: string) => void;
  onClose: () => void;
}

export function LineDrawer({ line, onFilter, onClose }: Props) {
  const { t } = useLingui();
  const { time, title, rest } = parsed(line.text);
  const copy = (text: string, said: string) =>
    navigator.clipboard.writeText(text).then(
      () => toast(said),
      () => toast(t`The browser does not let this page copy.`, "failed"),
    );
  const link = () => {
    const words = new URLSearchParams({ log: line.log, at: line.at, line: nameOf(line.text) });
    return `${location.origin}${location.pathname}?${words}`;
  };
  return (
    <Drawer
      title={title || t`Line`}
      label={title || t`Line`}
      subtitle={`${line.log}, ${time}`}
      onClose={onClose}
      footer={
        <>
          <Button icon="link" onClick={() => void copy(link(), t`The link to this line was copied`)}>
            <Trans>Copy link</Trans>
          </Button>
          <Button icon="copy" onClick={() => void copy(line.text, t`The line was copied`)}>
            <Trans>Copy line</Trans>
          </Button>
        </>
      }
    >
      <dl className={css.fields}>
        {fieldsOf(rest).map(([label, value], at) => (
          // oxlint-disable-next-line react/no-array-index-key -- fields have an order, and may come twice
          <div key={at}>
            <dt>{label}</dt>
            <dd>
              <Value {...{ label, value, onFilter }} />
            </dd>
          </div>
        ))}
      </dl>
      <h3>
        <Trans>As it is in the file</Trans>
      </h3>
      <pre className={css.raw}>{line.text}</pre>
    </Drawer>
  );
}

const SOUGHT = /^(Queue-ID|From|To|Recipient|Mailbox|User|Sender-Host|Msg-Id|Message-ID|Cause|Report|Account)$/;

function Value({ label, value, onFilter }: { label: string; value: string; onFilter: (text: string) => void }) {
  const { t } = useLingui();
  if (!SOUGHT.test(label) || value.includes(", ")) return value;
  const words = /^Msg-Id|^Message-ID/.test(label) ? value : value.replace(/^<([^<>]*)>$/, "$1");
  return (
    <>
      {/^(Queue-ID|Cause|Report)$/.test(label) ? (
        <Link className="link" to="/trace" search={{ q: words } as never} title={t`Trace this message`}>
          {value}
        </Link>
      ) : (
        value
      )}{" "}
      <button type="button" className={`link ${css.only}`} onClick={() => onFilter(words)}>
        <Trans>Only these</Trans>
      </button>
    </>
  );
}
