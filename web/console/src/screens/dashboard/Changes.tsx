/** The last changes of settings and records: who, what, when. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { type Page, read } from "@/api/admin.ts";
import { useTopic } from "@/api/live.ts";
import { Moment } from "@/parts/base/Moment.tsx";
import css from "./Dashboard.module.css";

interface ChangeRow {
  readonly at: string;
  readonly user: string;
  readonly kind: string;
  readonly action: string;
  readonly subject: string;
  readonly field: string;
  readonly old: string;
  readonly new: string;
}

export function Changes() {
  const { t } = useLingui();
  const { data, error, refetch } = useQuery({
    queryKey: ["change", "list", 5],
    queryFn: ({ signal }) => read<Page<ChangeRow>>("change", "list", { limit: 5 }, signal),
    refetchInterval: 60_000,
    retry: false,
  });
  useTopic("config", () => void refetch());
  return (
    <section className={css.card}>
      <header>
        <h2>{t`Last changes`}</h2>
      </header>
      {error && !data ? (
        <p className={css.small} role="alert">
          {error instanceof Error ? error.message : String(error)}
        </p>
      ) : data?.items.length === 0 ? (
        <p className={css.small}>
          <Trans>Nothing was changed yet.</Trans>
        </p>
      ) : (
        <ul className={css.rows}>
          {data?.items.map((row, at) => (
            // oxlint-disable-next-line react/no-array-index-key -- lines of a log have an order and nothing else
            <li key={at}>
              <div>
                <span className={`ellipsis ${css.what}`} title={`${row.old} → ${row.new}`}>
                  <What row={row} />
                </span>
                <span className="ellipsis">{row.user === "local" ? t`at the server's command line` : row.user}</span>
              </div>
              <Moment at={row.at} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function What({ row }: { row: ChangeRow }) {
  const { subject, field, action, old, new: now } = row;
  const name = [subject, field].filter(Boolean).join(" ");
  if (action === "added")
    return (
      <Trans>
        Added <b>{name}</b>
      </Trans>
    );
  if (action === "removed")
    return (
      <Trans>
        Removed <b>{name}</b>
      </Trans>
    );
  return (
    <>
      {name} {old} → <b>{now || "–"}</b>
    </>
  );
}
