import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { read } from "@/api/admin.ts";
import { useFresh } from "@/api/live.ts";
import { Icon } from "@/parts/base/Icon.tsx";
import { number, octets, shortTime, span } from "@/parts/base/Moment.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { Verdict } from "@/parts/base/State.tsx";
import css from "./Dashboard.module.css";

interface QueueStats {
  waiting: number;
  held: number;
  size: number;
  oldest: string | null;
  destinations: readonly {
    destination: string;
    waiting: number;
    held: number;
    size: number;
    next_attempt: string | null;
    status: string;
  }[];
}

const SHOWN = 5;

export function QueueCard() {
  const { t } = useLingui();
  const { data, error, refetch } = useQuery({
    queryKey: ["queue", "stats"],
    queryFn: ({ signal }) => read<QueueStats>("queue", "stats", {}, signal),
    retry: false,
  });
  useFresh("queue", () => void refetch(), 10);
  return (
    <section className={css.card}>
      <header>
        <h2>{t`Queue`}</h2>
        {data && data.waiting + data.held > 0 && <p>{octets(data.size)}</p>}
      </header>
      {data ? (
        <Waiting data={data} />
      ) : error ? (
        <Failure what={t`The queue could not be read.`} error={error} retry={() => void refetch()} />
      ) : (
        <div className={css.bone} />
      )}
      <Link to="/queue" className={css.more}>
        <Trans>Open the queue</Trans>
        <Icon name="right" />
      </Link>
    </section>
  );
}

function Waiting({ data }: { data: QueueStats }) {
  const { t } = useLingui();
  const { waiting, held, oldest } = data;
  const age = oldest ? (Date.now() - new Date(oldest).getTime()) / 1000 : 0;
  const late = waiting > 0 && age > 4 * 3600;
  return (
    <>
      <div className={css.big}>
        {waiting + held === 0 ? (
          <Verdict mood="ok" title={t`Nothing is waiting`} />
        ) : (
          <Verdict
            mood={late ? "warn" : "info"}
            icon={late ? "clock" : "queue"}
            title={
              <>
                {waiting > 0 && <Plural value={waiting} one="# waiting" other="# waiting" />}
                {held > 0 && (waiting > 0 ? t`, ${number(held)} held` : t`${number(held)} held`)}
              </>
            }
          >
            <p className="muted">{t`The oldest for ${span(age)}`}</p>
          </Verdict>
        )}
      </div>
      <ul className={css.rows}>
        {data.destinations.slice(0, SHOWN).map((each) => (
          <li key={each.destination}>
            <div>
              <b className="ellipsis">
                {each.destination === "(several)" ? t`several destinations` : each.destination}
              </b>
              <span className="ellipsis">
                {each.status || (each.waiting ? t`not tried yet` : t`held`)}
                {each.next_attempt && each.waiting > 0 && t`, next try ${shortTime(new Date(each.next_attempt))}`}
              </span>
            </div>
            <b className="figures">{number(each.waiting + each.held)}</b>
          </li>
        ))}
      </ul>
    </>
  );
}
