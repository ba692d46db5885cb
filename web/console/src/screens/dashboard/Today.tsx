/** Mail since midnight, beside what is usual on this day of the week. */
import { useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { number } from "@/parts/base/Moment.tsx";
import { Chart } from "@/parts/chart/Chart.tsx";
import { readSeries, type Totals, usual } from "@/screens/statistics/series.ts";
import css from "./Dashboard.module.css";
import { compared, soFar, today } from "./today.ts";

const KINDS = [
  "messages-in",
  "deliveries.delivered-local",
  "deliveries.delivered-remote",
  "refused",
  "deliveries.failed",
] as const;

export function Today({ totals }: { totals: Totals | undefined }) {
  const { t, i18n } = useLingui();
  const { data } = useQuery({
    queryKey: ["stats", "series", "month", KINDS],
    queryFn: ({ signal }) => readSeries(KINDS, "30d", signal),
    staleTime: 300_000,
    retry: false,
  });
  const day = useQuery({
    queryKey: ["stats", "series", "day", "messages-in"],
    queryFn: ({ signal }) => readSeries(["messages-in"], "24h", signal),
    refetchInterval: 60_000,
    retry: false,
  });
  const now = new Date();
  const names: Record<(typeof KINDS)[number], string> = {
    "messages-in": t`Accepted`,
    "deliveries.delivered-local": t`To mailboxes`,
    "deliveries.delivered-remote": t`To other servers`,
    refused: t`Refused`,
    "deliveries.failed": t`Returned`,
  };
  const hours = useMemo(() => (day.data ? today(day.data, "messages-in", new Date()) : null), [day.data]);
  const before = useMemo(() => data && usual(data, "messages-in", new Date()), [data]);
  const known = before?.some((each) => each !== null);
  return (
    <section className={`${css.card} ${css.today}`}>
      <header>
        <h2>{t`Mail today`}</h2>
        <p>{known ? t`against the same day of the last weeks` : t`what is usual is known after a week`}</p>
      </header>
      <div className={css.mail}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t`Kind`}</th>
              <th scope="col">{t`Today`}</th>
              <th scope="col">{t`Usual`}</th>
              <th scope="col">{t`Difference`}</th>
            </tr>
          </thead>
          <tbody>
            {KINDS.map((kind) => {
              const count = totals?.totals.find((each) => each.name === kind)?.today ?? 0;
              const normal = data ? soFar(usual(data, kind, now), now) : null;
              return (
                <tr key={kind}>
                  <th scope="row">
                    {kind === "refused" ? (
                      <Link to="/logs" search={{ q: "Refused" } as never}>
                        {names[kind]}
                      </Link>
                    ) : (
                      names[kind]
                    )}
                  </th>
                  <td>
                    <b>{totals ? number(count) : "–"}</b>
                  </td>
                  <td>{normal === null ? "–" : number(Math.round(normal))}</td>
                  <td>
                    {compared(count, normal, (value) =>
                      i18n.number(value, { style: "percent", signDisplay: "exceptZero" }),
                    )}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
        <div className={css.chart}>
          {hours && (
            <Chart
              title={t`Accepted an hour`}
              times={hours.times}
              series={[
                { name: t`today`, values: hours.values, colour: "accent", bars: true },
                ...(known ? [{ name: t`usual`, values: before ?? [], usual: true, colour: "muted" }] : []),
              ]}
              format={(value) => i18n.number(value, { maximumFractionDigits: value < 10 ? 1 : 0 })}
              height={150}
            />
          )}
        </div>
      </div>
    </section>
  );
}
