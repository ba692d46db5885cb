/** "Same as": a colleague is named, and what that one has stands there to be taken out. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useId, useState } from "react";
import { me, type Right } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { octets } from "@/parts/base/Moment.tsx";
import { AddressInput } from "@/parts/people/AddressInput.tsx";
import css from "./AddUser.module.css";
import { type Shared, sharedWith } from "./alike.ts";
import { BLANK, type Draft } from "./draft.ts";

export function SameAs({ now, change }: { now: Draft; change: (part: Partial<Draft>) => void }) {
  const { t } = useLingui();
  const id = useId();
  const who = useStore(me);
  const [fault, setFault] = useState("");
  const [looking, setLooking] = useState(false);
  const may = (right: Right) => who?.right === "server-write" || (right === "domain" && who?.right === "domain");

  const look = async () => {
    const colleague = now.colleague.trim();
    setFault("");
    if (!colleague) {
      change({ shared: BLANK.shared, without: BLANK.without });
      return;
    }
    setLooking(true);
    try {
      const shared = await sharedWith(colleague, may);
      // Rights are given by a press of their own.
      change({ shared, without: shared.filter((each) => each.kind === "rights").map((each) => each.id) });
      if (!shared.length) setFault(t`${colleague} is in no group, has no alias and no quota of the own.`);
    } catch (error) {
      change({ shared: BLANK.shared, without: BLANK.without });
      setFault(error instanceof Error ? error.message : String(error));
    } finally {
      setLooking(false);
    }
  };
  const toggle = ({ id: which }: Shared) =>
    change({
      without: now.without.includes(which) ? now.without.filter((each) => each !== which) : [...now.without, which],
    });
  return (
    <>
      <label htmlFor={id}>
        <Trans>Same as a colleague</Trans>
      </label>
      <div className={css.line}>
        <AddressInput
          id={id}
          value={now.colleague}
          described={`${id}said`}
          invalid={!!fault && !now.shared.length}
          onChange={(colleague) => change({ colleague, shared: BLANK.shared, without: BLANK.without })}
        />
        <Button busy={looking} onClick={() => void look()}>
          <Trans>Take over</Trans>
        </Button>
      </div>
      <p id={`${id}said`} className="muted" role="status">
        {fault || <Trans>Groups, aliases and quota; each can be taken out again.</Trans>}
      </p>
      {now.shared.length > 0 && (
        <ul className={css.chips} aria-label={t`As with ${now.colleague}`}>
          {now.shared.map((each) => {
            const on = !now.without.includes(each.id);
            return (
              <li key={each.id}>
                <button type="button" className={css.chip} aria-pressed={on} onClick={() => toggle(each)}>
                  <Icon name={on ? "ok" : "plus"} />
                  <Words shared={each} />
                </button>
              </li>
            );
          })}
        </ul>
      )}
    </>
  );
}

function Words({ shared: { kind, value } }: { shared: Shared }) {
  if (kind === "group") return <Trans>Group {value}</Trans>;
  if (kind === "alias") return <Trans>Alias {value}</Trans>;
  if (kind === "rights") return <Trans>Rights: {value}</Trans>;
  const size = octets(Number(value));
  return <Trans>Quota {size}</Trans>;
}
