import { useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { read } from "@/api/admin.ts";
import { useFresh } from "@/api/live.ts";
import { toast } from "@/api/operations.ts";
import { Page, Scroll } from "@/app/Page.tsx";
import { useUrl } from "@/app/url.ts";
import { IconButton } from "@/parts/base/Button.tsx";
import { exactTime, octets, shortTime } from "@/parts/base/Moment.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { Chart } from "@/parts/chart/Chart.tsx";
import { Tabs } from "@/parts/drawer/Tabs.tsx";
import { save } from "@/parts/list/csv.ts";
import { ALL_SERIES, CHARTS, type ChartSpec } from "./charts.ts";
import { type Measured, PER, type Period, PERIODS, rate, readSeries, type Totals, trimmed } from "./series.ts";
import css from "./Statistics.module.css";
import { Figures } from "./Figures.tsx";

export default function StatisticsScreen() {
  const { t } = useLingui();
  const [words, change] = useUrl();
  const tab = words.tab === "figures" ? "figures" : "charts";
  const period = (PERIODS as readonly string[]).includes(words.last ?? "") ? (words.last as Period) : "2h";
  const totals = useQuery({
    queryKey: ["stats", "totals", words.top ?? ""],
    queryFn: ({ signal }) => read<Totals>("stats", "show", { top: 20, ever: words.top === "ever" }, signal),
    retry: false,
  });
  useFresh("counters", () => void totals.refetch(), 20);
  const { started } = totals.data ?? {};
  return (
    <Page
      title={t`Statistics`}
      summary={started && <span title={exactTime(new Date(started))}>{t`since ${shortTime(new Date(started))}`}</span>}
    >
      <div className={css.head}>
        <Tabs
          tabs={[
            { id: "charts", title: t`Charts` },
            { id: "figures", title: t`Figures` },
          ]}
          value={tab}
          onChange={(id) => change({ tab: id === "charts" ? null : id })}
        />
        {tab === "charts" && (
          <Periods value={period} onChange={(last) => change({ last: last === "2h" ? null : last })} />
        )}
      </div>
      <Scroll label={t`Statistics`}>
        {tab === "charts" ? (
          <Charts period={period} />
        ) : totals.data ? (
          <Figures
            totals={totals.data}
            ever={words.top === "ever"}
            onEver={(ever) => change({ top: ever ? "ever" : null })}
            again={() => void totals.refetch()}
          />
        ) : totals.error ? (
          <Failure
            what={t`The statistics could not be read.`}
            error={totals.error}
            retry={() => void totals.refetch()}
          />
        ) : (
          <Bones />
        )}
      </Scroll>
    </Page>
  );
}

function Periods({ value, onChange }: { value: Period; onChange: (period: Period) => void }) {
  const { t } = useLingui();
  const names: Record<Period, string> = {
    "2h": t`2 h`,
    "24h": t`24 h`,
    "7d": t`7 days`,
    "30d": t`30 days`,
    "1y": t`1 year`,
  };
  const exporting = async () => {
    try {
      const last = value === "1y" ? "365d" : value;
      const { text } = await read<{ text: string }>("stats", "export", { last });
      save(`statistics-${value}-${new Date().toISOString().slice(0, 10)}.csv`, text);
    } catch (error) {
      toast(t`The export failed: ${error instanceof Error ? error.message : ""}`, "failed");
    }
  };
  return (
    <div className={css.periods} role="group" aria-label={t`Time`}>
      {PERIODS.map((period) => (
        <button key={period} type="button" aria-pressed={period === value} onClick={() => onChange(period)}>
          {names[period]}
        </button>
      ))}
      <IconButton icon="download" label={t`Export as CSV`} onClick={() => void exporting()} />
    </div>
  );
}

function Charts({ period }: { period: Period }) {
  const { t } = useLingui();
  const { data, error, refetch } = useQuery({
    queryKey: ["stats", "series", period],
    queryFn: ({ signal }) => readSeries(ALL_SERIES, period, signal),
    refetchInterval: period === "2h" ? 20_000 : 120_000,
    retry: false,
  });
  const shown = useMemo(() => data && trimmed(data), [data]);
  if (shown)
    return (
      <div className={css.charts} data-stale={error ? "" : undefined}>
        <h2 className="hidden">{t`Charts`}</h2>
        {CHARTS.map((chart) => (
          <OneChart key={chart.id} chart={chart} data={shown} period={period} />
        ))}
      </div>
    );
  if (error) return <Failure what={t`The statistics could not be read.`} error={error} retry={() => void refetch()} />;
  return <Bones />;
}

function OneChart({ chart, data, period }: { chart: ChartSpec; data: Measured; period: Period }) {
  const { t, i18n } = useLingui();
  const { times, step, values } = data;
  const per = PER[period];
  const series = useMemo(
    () =>
      chart.lines.map(({ series: name, name: title, colour }) => ({
        name: i18n._(title),
        colour,
        values: converted(chart.kind, values[name] ?? [], step, per),
      })),
    [chart, values, step, per, i18n],
  );
  const within = per === 60 ? t`a minute` : per === 3600 ? t`an hour` : t`a day`;
  const title = i18n._(chart.title);
  const plain = (value: number) => i18n.number(value, { maximumFractionDigits: value < 10 ? 1 : 0 });
  const format = {
    rate: plain,
    number: plain,
    octets,
    "octet-rate": (value: number) => `${octets(value)}/s`,
    seconds: (value: number) => `${i18n.number(value, { maximumFractionDigits: value < 1 ? 2 : 1 })} s`,
    share: (value: number) => `${i18n.number(value, { maximumFractionDigits: value < 10 ? 1 : 0 })} %`,
  }[chart.kind];
  return (
    <section className={css.card}>
      <Chart
        title={chart.kind === "rate" ? t`${title}, ${within}` : title}
        {...{ times, series, format }}
        height={160}
      />
    </section>
  );
}

function converted(kind: ChartSpec["kind"], values: readonly (number | null)[], step: number, per: number) {
  if (kind === "rate") return rate(values, step, per);
  if (kind === "octet-rate") return rate(values, step, 1);
  // Milliseconds of work in a second are tenths of a percent.
  if (kind === "share") return rate(values, step, 0.1);
  return values;
}

function Bones() {
  return (
    <div className={css.charts} aria-hidden>
      {[0, 1, 2, 3].map((each) => (
        <section key={each} className={`${css.card} ${css.bone}`} />
      ))}
    </div>
  );
}
