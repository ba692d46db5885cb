/** Values over time: drawn by uPlot, which is fetched when a chart is first shown; the same as a table for whoever does
 * not see it, or wants the figures. Gaps stay gaps. */
import { Trans, useLingui } from "@lingui/react/macro";
import { lazy, Suspense, useState } from "react";
import { Button } from "../base/Button.tsx";
import { exactTime, shortTime } from "../base/Moment.tsx";
import css from "./Chart.module.css";

export interface Series {
  readonly name: string;
  /** One for each time; null where nothing was measured. */
  readonly values: readonly (number | null)[];
  /** A token: "accent", "ok", "warn", "error", "info", "muted". */
  readonly colour?: string;
  /** As a dashed line: what is usual, the period before. */
  readonly usual?: boolean;
  /** As bars: counts of a few long steps. */
  readonly bars?: boolean;
}

export interface ChartProps {
  readonly title: string;
  /** Seconds since 1970, rising. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  /** A value with its unit. */
  readonly format: (value: number) => string;
  readonly height?: number;
}

const Plot = lazy(() => import("./Plot.tsx"));

export function Chart(props: ChartProps) {
  const { t } = useLingui();
  const [table, setTable] = useState(false);
  const { title, times, height = 180 } = props;
  return (
    <figure className={css.chart}>
      <figcaption>
        <h3>{title}</h3>
        <Button small kind="quiet" aria-pressed={table} onClick={() => setTable(!table)}>
          {table ? <Trans>Chart</Trans> : <Trans>Table</Trans>}
        </Button>
      </figcaption>
      {times.length === 0 ? (
        <p className="muted" style={{ minHeight: height }}>{t`Nothing was measured in this time.`}</p>
      ) : table ? (
        <Figures {...props} />
      ) : (
        <div role="img" aria-label={summary(props)} style={{ minHeight: height }}>
          <Suspense fallback={null}>
            <Plot {...props} height={height} />
          </Suspense>
        </div>
      )}
      <Legend series={props.series} />
    </figure>
  );
}

function Legend({ series }: { series: readonly Series[] }) {
  if (series.length < 2) return null;
  return (
    <ul className={css.legend}>
      {series.map((each) => (
        <li key={each.name}>
          <i data-usual={each.usual || undefined} style={{ color: `var(--${each.colour ?? "accent"})` }} />
          {each.name}
        </li>
      ))}
    </ul>
  );
}

/** The latest values, for the name of the picture. */
function summary({ title, times, series, format }: ChartProps): string {
  const at = times.length - 1;
  const now = series.map((each) => {
    const value = each.values[at];
    return value === null || value === undefined ? "" : `${each.name} ${format(value)}`;
  });
  return [title, ...now.filter(Boolean)].join(", ");
}

const MOST_LINES = 500;

function Figures({ title, times, series, format }: ChartProps) {
  const { t } = useLingui();
  const from = Math.max(0, times.length - MOST_LINES);
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
    <div className={css.table} tabIndex={0} role="region" aria-label={title}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t`Time`}</th>
            {series.map((each) => (
              <th key={each.name} scope="col">
                {each.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {times
            .slice(from)
            .map((time, index) => ({ time, at: from + index }))
            .toReversed()
            .map(({ time, at }) => (
              <tr key={time}>
                <th scope="row">
                  <time title={exactTime(new Date(time * 1000))}>{shortTime(new Date(time * 1000))}</time>
                </th>
                {series.map((each) => {
                  const value = each.values[at];
                  return <td key={each.name}>{value === null || value === undefined ? "–" : format(value)}</td>;
                })}
              </tr>
            ))}
        </tbody>
      </table>
    </div>
  );
}
