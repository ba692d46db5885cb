/** Totals since the start, of today and ever; who sends and gets most. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Dialog } from "@/parts/dialog/Dialog.tsx";
import { run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Button } from "@/parts/base/Button.tsx";
import { number, octets, shortTime } from "@/parts/base/Moment.tsx";
import type { Top, Total, Totals } from "./series.ts";
import css from "./Statistics.module.css";
import { useNames } from "./names.ts";

interface Props {
  totals: Totals;
  ever: boolean;
  onEver: (ever: boolean) => void;
  again: () => void;
}

export function Figures({ totals, ever, onEver, again }: Props) {
  const { t, i18n } = useLingui();
  const may = mayChange(useStore(me), "server");
  const [asking, setAsking] = useState(false);
  const seconds = (value: number | null) =>
    value === null ? "–" : `${i18n.number(value, { maximumFractionDigits: value < 1 ? 2 : 1 })} s`;
  const reset = async () => {
    setAsking(false);
    try {
      await run("stats", "reset", {});
      toast(t`Totals begin again at zero`);
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), "failed");
    }
    again();
  };
  return (
    <div className={css.figures}>
      <section className={css.card}>
        <table className={css.table}>
          <thead>
            <tr>
              <th scope="col">{t`Counted`}</th>
              <th scope="col">{t`Today`}</th>
              <th scope="col">{t`Since the start`}</th>
              <th scope="col" title={shortTime(new Date(totals.reset))}>{t`Since the reset`}</th>
            </tr>
          </thead>
          <tbody>
            {totals.totals.filter(interesting).map((total) => (
              <Row key={total.name} total={total} />
            ))}
          </tbody>
        </table>
        <p className={css.under}>
          <Trans>
            Time to the mailbox today: half of all {seconds(totals.latency_p50)}, 95 of 100{" "}
            {seconds(totals.latency_p95)}
          </Trans>
        </p>
        <div className={css.actions}>
          <Button icon="file" onClick={() => print()}>
            <Trans>Print</Trans>
          </Button>
          {may && (
            <Button kind="danger" icon="undo" onClick={() => setAsking(true)}>
              <Trans>Reset totals</Trans>
            </Button>
          )}
        </div>
      </section>
      <div className={css.tops}>
        <div className={css.periods} role="group" aria-label={t`Time`}>
          <button type="button" aria-pressed={!ever} onClick={() => onEver(false)}>{t`Today`}</button>
          <button type="button" aria-pressed={ever} onClick={() => onEver(true)}>{t`Since the reset`}</button>
        </div>
        <Tops title={t`Top senders`} rows={totals.senders} way="from" />
        <Tops title={t`Top recipients`} rows={totals.recipients} way="to" />
      </div>
      {asking && (
        <Dialog opened onClose={() => setAsking(false)} title={t`Reset totals?`}>
          <p>
            <Trans>Totals, top senders and top recipients begin again at zero. Charts stay as they are.</Trans>
          </p>
          <div className={css.answers}>
            <Button onClick={() => setAsking(false)}>
              <Trans>Cancel</Trans>
            </Button>
            <Button kind="danger" onClick={() => void reset()}>
              <Trans>Reset totals</Trans>
            </Button>
          </div>
        </Dialog>
      )}
    </div>
  );
}

/** Families always; their parts as soon as something was counted. */
const interesting = ({ name, ever }: Total) => (!name.includes(".") || ever > 0) && name !== "latency-sum";

function Row({ total }: { total: Total }) {
  const nameOf = useNames();
  const show = (value: number) =>
    total.unit === "octets"
      ? octets(value)
      : total.unit === "milliseconds"
        ? `${number(Math.round(value / 1000))} s`
        : number(value);
  return (
    <tr data-part={total.name.includes(".") || undefined}>
      <th scope="row">{nameOf(total.name)}</th>
      <td>{show(total.today)}</td>
      <td>{show(total.start)}</td>
      <td>{show(total.ever)}</td>
    </tr>
  );
}

export function Tops({ title, rows, way }: { title: string; rows: readonly Top[]; way: "from" | "to" }) {
  const most = Math.max(1, ...rows.map((row) => row.messages));
  return (
    <section className={css.card}>
      <h2>{title}</h2>
      {rows.length === 0 ? (
        <p className="muted">
          <Trans>Nobody yet.</Trans>
        </p>
      ) : (
        <ol className={css.top}>
          {rows.map((row) => (
            <li key={row.name}>
              {row.name === "<>" ? (
                <span>&lt;&gt;</span>
              ) : (
                <Link className="ellipsis" to="/trace" search={{ q: row.name, way } as never}>
                  {row.name}
                </Link>
              )}
              <i aria-hidden>
                <i style={{ width: `${(100 * row.messages) / most}%` }} />
              </i>
              <b>{number(row.messages)}</b>
              <span className="muted">{row.octets > 0 ? octets(row.octets) : ""}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
