/** Empty, failed and not found: one sentence, the server's own words, one button. */
import { Trans, useLingui } from "@lingui/react/macro";
import type { ApiError } from "@shared/errors.ts";
import { type ReactNode, useState } from "react";
import { Button } from "./Button.tsx";
import { Icon } from "./Icon.tsx";
import type { IconName } from "./icons.ts";
import css from "./Notice.module.css";

interface Props {
  icon?: IconName;
  title: ReactNode;
  children?: ReactNode;
  action?: ReactNode;
}

export function Notice({ icon, title, children, action }: Props) {
  return (
    <div className={css.notice}>
      {icon && <Icon name={icon} size={24} />}
      <h2>{title}</h2>
      {children && <div className={css.text}>{children}</div>}
      {action && <div className={css.actions}>{action}</div>}
    </div>
  );
}

/** What failed, in the server's words; Retry; details to send to somebody. */
export function Failure({ what, error, retry }: { what: ReactNode; error: unknown; retry?: () => void }) {
  const { t } = useLingui();
  const [copied, setCopied] = useState(false);
  const text = error instanceof Error ? error.message : String(error);
  const copy = async () => {
    await navigator.clipboard.writeText(details(error)).catch(() => undefined);
    setCopied(true);
  };
  return (
    <div role="alert">
      <Notice
        icon="error"
        title={what}
        action={
          <>
            {retry && (
              <Button icon="redo" onClick={retry}>
                <Trans>Retry</Trans>
              </Button>
            )}
            <Button kind="quiet" icon={copied ? "check" : "copy"} onClick={() => void copy()}>
              {copied ? t`Copied` : t`Copy details`}
            </Button>
          </>
        }
      >
        <p>{text}</p>
      </Notice>
    </div>
  );
}

function details(error: unknown): string {
  const api = error as Partial<ApiError>;
  const lines = [`Whimbrel console, ${location.pathname}${location.search}`, new Date().toISOString()];
  if (error instanceof Error) lines.push(`${error.name}: ${error.message}`);
  if (api.status !== undefined) lines.push(`Status ${api.status}, ${api.kind ?? ""}`);
  for (const field of api.fields ?? []) lines.push(`${field.name}: ${field.text}`);
  return lines.join("\n");
}
