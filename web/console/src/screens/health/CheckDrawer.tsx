/** One check: what is so, what mends it, and where. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useSyncExternalStore } from "react";
import { toast } from "@/api/operations.ts";
import { screenAt } from "@/app/screens.ts";
import { Button, IconButton } from "@/parts/base/Button.tsx";
import { LinkButton } from "@/parts/base/LinkButton.tsx";
import { Moment } from "@/parts/base/Moment.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { type Mood, Verdict } from "@/parts/base/State.tsx";
import { Drawer, Facts } from "@/parts/drawer/Drawer.tsx";
import type { ListModel } from "@/parts/list/model.ts";
import { type Check, type Grade, gradeOf, placeOf, unheard } from "./check.ts";
import css from "./Health.module.css";

const MOODS: Record<Grade, Mood> = { fails: "error", warns: "warn", passes: "ok", unknown: "muted" };

interface Props {
  id: string;
  model: ListModel<Check>;
  look: () => Promise<void>;
  looking: boolean;
  onClose: () => void;
}

export function CheckDrawer({ id, model, look, looking, onClose }: Props) {
  const { t, i18n } = useLingui();
  const view = useSyncExternalStore(model.subscribe, model.get);
  const row = view.rows.find((each) => each.check === id);
  if (!row) {
    return (
      <Drawer title={id} label={id} onClose={onClose}>
        {view.state === "ready" && <Notice icon="gauge" title={<Trans>There is no such check.</Trans>} />}
      </Drawer>
    );
  }
  const grade = gradeOf(row.state);
  const place = placeOf(row);
  const screen = place && screenAt(place.path);
  const copy = async () => {
    await navigator.clipboard.writeText(row.command).catch(() => undefined);
    toast(t`Copied: ${row.command}`);
  };
  return (
    <Drawer
      title={row.title}
      label={row.title}
      subtitle={<code>{row.check}</code>}
      onClose={onClose}
      footer={
        <>
          {place && screen && (
            <LinkButton kind={grade === "passes" ? "plain" : "primary"} to={place.path} search={place.search}>
              <Trans>Open {i18n._(screen.title)}</Trans>
            </LinkButton>
          )}
          <Button icon="redo" busy={looking} onClick={() => void look()}>
            <Trans>Run checks</Trans>
          </Button>
        </>
      }
    >
      <Verdict mood={MOODS[grade]} {...(grade === "unknown" ? { icon: "help" } : {})} title={row.text} />
      {row.advice && (
        <>
          <h3>{grade === "passes" ? t`Good to know` : t`What mends it`}</h3>
          <p>{row.advice}</p>
        </>
      )}
      {row.command && (
        <>
          <h3>{t`At the command line`}</h3>
          <p className={css.command}>
            <code>{row.command}</code>
            <IconButton icon="copy" label={t`Copy the command`} onClick={() => void copy()} />
          </p>
        </>
      )}
      <Facts
        facts={[
          [t`Since`, <Moment key="since" at={row.since} />],
          [t`Last look`, <Moment key="looked" at={row.looked} />],
          [
            t`Alerts go to`,
            unheard(row) ? (
              <span key="alerts">
                <span className="warn">{t`nobody`}</span>{" "}
                <Link to="/alerts" search={{ tab: "settings" } as never} className="link">
                  <Trans>Choose who is told</Trans>
                </Link>
              </span>
            ) : (
              row.alerts
            ),
          ],
        ]}
      />
    </Drawer>
  );
}
