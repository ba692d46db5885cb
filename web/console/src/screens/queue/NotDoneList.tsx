/** Messages to which something could not be done, one by one with its reason. */
import { Plural, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { IconButton } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import type { NotDone } from "./actions.ts";
import { traceOf } from "./message.ts";
import css from "./MessageDrawer.module.css";

export function NotDoneList({ failed, onClose }: { failed: readonly NotDone[]; onClose: () => void }) {
  const { t } = useLingui();
  if (!failed.length) return null;
  return (
    <section className={css.failed} role="alert" aria-label={t`What could not be done`}>
      <header>
        <Icon name="error" />
        <b>
          <Plural value={failed.length} one="# message was left as it is:" other="# messages were left as they are:" />
        </b>
        <IconButton icon="close" label={t`Close`} onClick={onClose} />
      </header>
      <ul>
        {failed.map((each) => {
          const { to, search } = traceOf(each.id);
          return (
            <li key={each.id}>
              <Link to={to} search={search as never} className="link mono">
                {each.id}
              </Link>{" "}
              {each.text}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
