import { useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { read } from "@/api/admin.ts";
import { useFresh, useLiveStatus } from "@/api/live.ts";
import { Page, Scroll } from "@/app/Page.tsx";
import { shortTime, span } from "@/parts/base/Moment.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { Tops } from "@/screens/statistics/Figures.tsx";
import type { Totals } from "@/screens/statistics/series.ts";
import { Changes } from "./Changes.tsx";
import css from "./Dashboard.module.css";
import { Health } from "./Health.tsx";
import { QueueCard } from "./QueueCard.tsx";
import type { Status } from "./status.ts";
import { Today } from "./Today.tsx";
import { isNew } from "./todo.ts";
import { Todos } from "./Todos.tsx";

export default function DashboardScreen() {
  const { t } = useLingui();
  const status = useQuery({
    queryKey: ["status"],
    queryFn: ({ signal }) => read<Status>("status", "", {}, signal),
    retry: false,
  });
  const totals = useQuery({
    queryKey: ["stats", "totals", ""],
    queryFn: ({ signal }) => read<Totals>("stats", "show", { top: 20 }, signal),
    retry: false,
  });
  const { data, error } = status;
  useFresh("counters", () => (void status.refetch(), void totals.refetch()), 10);
  return (
    <Page
      title={t`Dashboard`}
      summary={data && <Summary status={data} since={status.dataUpdatedAt} failed={!!error} />}
    >
      <Scroll label={t`Dashboard`}>
        {error && !data ? (
          <Failure what={t`The server's state could not be read.`} error={error} retry={() => void status.refetch()} />
        ) : (
          <div className={css.grid} data-stale={error ? "" : undefined}>
            <div className={css.column}>
              <Health status={data} />
              {totals.data && isNew(totals.data) ? <Todos totals={totals.data} /> : <Today totals={totals.data} />}
            </div>
            <div className={css.column}>
              <QueueCard />
              <div className={css.two}>
                {totals.data ? (
                  <Tops title={t`Top senders today`} rows={totals.data.senders.slice(0, 6)} way="from" />
                ) : (
                  <section className={`${css.card} ${css.bone}`} />
                )}
                <Changes />
              </div>
            </div>
          </div>
        )}
      </Scroll>
    </Page>
  );
}

function Summary({ status, since, failed }: { status: Status; since: number; failed: boolean }) {
  const { t } = useLingui();
  const { state } = useLiveStatus();
  const up = span((Date.now() - new Date(status.started).getTime()) / 1000);
  if (failed) return t`Not live since ${shortTime(new Date(since))}`;
  return state === "live" ? t`Up ${up}, live` : t`Up ${up}`;
}
