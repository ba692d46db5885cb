/** One change: all that it changed, what stands there now, and undoing it. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState, useSyncExternalStore } from "react";
import { readVersion } from "@/api/admin.ts";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { screenOf } from "@/app/screens.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { Marked } from "@/parts/base/Marked.tsx";
import { exactTime, Moment } from "@/parts/base/Moment.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { Verdict } from "@/parts/base/State.tsx";
import { Drawer, Facts } from "@/parts/drawer/Drawer.tsx";
import { FormSkeleton } from "@/parts/form/FormSkeleton.tsx";
import type { ListModel } from "@/parts/list/model.ts";
import { type Change, type ChangedValue, type ChangeView, nameOf, placeOf, valuesOf } from "./change.ts";
import css from "./Changes.module.css";
import { Who } from "./columns.tsx";
import { UndoChange } from "./UndoChange.tsx";

interface Props {
  id: string;
  model: ListModel<Change>;
  onClose: () => void;
  onChanged: () => void;
  onFilter: (part: Record<string, string>) => void;
}

export function ChangeDrawer({ id, model, onClose, onChanged, onFilter }: Props) {
  const { t } = useLingui();
  const view = useSyncExternalStore(model.subscribe, model.get);
  const row = view.rows.find((each) => each.key === id);
  const may = mayChange(useStore(me), "accounts");
  const [undoing, setUndoing] = useState(false);
  const known = /^c[0-9a-f]{8}-[0-9a-f]{8}$/.test(id);
  const { data, error, refetch } = useQuery({
    queryKey: ["change", "show", id],
    enabled: known,
    queryFn: ({ signal }) => readVersion<ChangeView>("change", "show", { id }, signal),
    retry: false,
  });
  const change =
    data?.result ?? (known || !row ? undefined : former(row, t`The release that made it gave changes no ID.`));
  const first = change?.values[0];
  const title = first ? nameOf(first) : t`Change`;
  const count = (change?.values.length ?? 1) - 1;
  const because = !may
    ? t`Your right is to look, not to change`
    : change?.can_undo
      ? undefined
      : t`It cannot be undone: why is said at each value`;
  return (
    <Drawer
      title={title}
      label={title}
      subtitle={count > 0 ? <Plural value={count} one="and # more value" other="and # more values" /> : undefined}
      onClose={onClose}
      footer={
        change && (
          <Button icon="undo" disabledBecause={because} onClick={() => setUndoing(true)}>
            <Trans>Undo this change</Trans>
          </Button>
        )
      }
    >
      {change ? (
        <>
          <Verdict
            mood={change.can_undo ? "ok" : "muted"}
            icon={change.can_undo ? "undo" : "lock"}
            title={change.can_undo ? t`Can be undone: what it made still stands` : t`Cannot be undone here`}
          />
          <Facts
            facts={[
              [t`When`, <Moment key="at" at={change.at} />],
              [
                "",
                <span key="exact" className="muted">
                  {exactTime(new Date(change.at))}
                </span>,
              ],
              [
                t`Who`,
                <span key="who">
                  <Who user={change.user} />{" "}
                  <button type="button" className="link" onClick={() => onFilter({ user: change.user })}>
                    <Trans>only theirs</Trans>
                  </button>
                </span>,
              ],
              [t`From where`, change.origin || t`unknown`],
              change.call !== "" && [t`Call`, <code key="call">{change.call}</code>],
              change.id !== "" && [t`ID`, <code key="id">{change.id}</code>],
            ]}
          />
          <h3 className="hidden">{t`Values`}</h3>
          <ul className={css.values}>
            {change.values.map((value) => (
              <Value key={`${value.kind} ${nameOf(value)} ${value.action}`} value={value} onFilter={onFilter} />
            ))}
          </ul>
        </>
      ) : error ? (
        <Failure what={t`The change could not be read.`} error={error} retry={() => void refetch()} />
      ) : (
        <FormSkeleton />
      )}
      {change && undoing && (
        <UndoChange
          change={change}
          version={data?.version ?? ""}
          onClose={() => setUndoing(false)}
          onUndone={() => (void refetch(), onChanged())}
          onStale={() => void refetch()}
        />
      )}
    </Drawer>
  );
}

/** What there is to show of a line that has no id. */
function former(row: Change, why: string): ChangeView {
  const value = { ...row, now: "", cannot_undo: why };
  return { id: "", at: row.at, user: row.user, origin: row.origin, call: "", can_undo: false, values: [value] };
}

function Value({ value, onFilter }: { value: ChangedValue; onFilter: Props["onFilter"] }) {
  const { t } = useLingui();
  const place = placeOf(value, (screen) => screenOf(screen) !== undefined);
  const words: Record<string, string> = { added: t`Added`, removed: t`Removed`, moved: t`Put into another order` };
  // Of a record as a whole the log has all values in one line.
  const whole = value.kind !== "setting" && (value.action === "added" || value.action === "removed");
  const lines = (text: string) => (whole ? valuesOf(text) : [text]);
  const moved = value.now !== value.new && value.action === "changed" && value.kind !== "records";
  return (
    <li>
      <p>
        {words[value.action] && <span className="muted">{words[value.action]} </span>}
        {place ? (
          <Link to={place.to} search={place.search as never} className="link">
            {value.subject}
          </Link>
        ) : (
          <b>{value.subject}</b>
        )}{" "}
        {value.field}
      </p>
      {(value.old !== "" || value.new !== "" || value.action === "changed") && value.kind !== "records" && (
        <div className={css.pair}>
          {value.action !== "added" && lines(value.old).map((each) => <del key={each}>- {each || t`not set`}</del>)}
          {value.action !== "removed" && lines(value.new).map((each) => <ins key={each}>+ {each || t`not set`}</ins>)}
        </div>
      )}
      {moved && (
        <p className="muted">
          <Trans>
            Now: <b>{value.now || t`not set`}</b>
          </Trans>
        </p>
      )}
      {value.cannot_undo && (
        <p className={css.why}>
          <Icon name="lock" />
          <span>
            <Marked text={value.cannot_undo} />
          </span>
        </p>
      )}
      {value.kind !== "records" && (
        <p>
          <button
            type="button"
            className="link"
            onClick={() =>
              onFilter(
                value.kind === "setting"
                  ? { setting: value.subject, record: "" }
                  : { record: value.subject, setting: "" },
              )
            }
          >
            {value.kind === "setting" ? (
              <Trans>All changes of this setting</Trans>
            ) : (
              <Trans>All changes of this record</Trans>
            )}
          </button>
        </p>
      )}
    </li>
  );
}
