/** What became of a message that is no longer in the queue: for each recipient, from the logs. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { LinkButton } from "@/parts/base/LinkButton.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { State } from "@/parts/base/State.tsx";
import { search } from "../trace/search.ts";
import { rowsOf } from "../trace/story.ts";
import { useVerdict } from "../trace/useVerdict.ts";
import { traceOf } from "./message.ts";
import css from "./MessageDrawer.module.css";

/** Logs are written in batches: what was just done stands there a moment later. */
const AGAIN = 1000;
const TRIES = 5;

export default function Fate({ id }: { id: string }) {
  const { t } = useLingui();
  const verdict = useVerdict();
  const { data, error } = useQuery({
    queryKey: ["trace", "fate", id],
    queryFn: async ({ signal }) =>
      rowsOf((await search(id, "", "", signal)).messages).filter((row) => row.message.id === id),
    refetchInterval: (query) =>
      query.state.dataUpdateCount < TRIES && !query.state.data?.some((row) => row.fate !== "under-way") ? AGAIN : false,
    retry: false,
  });
  return (
    <Notice
      icon="ok"
      title={<Trans>This message is no longer in the queue.</Trans>}
      action={
        <LinkButton icon="trace" {...traceOf(id)}>
          <Trans>Trace it</Trans>
        </LinkButton>
      }
    >
      {data?.length ? (
        <ul className={css.recipients} aria-label={t`What became of it`}>
          {data.map((row) => {
            const { mood, icon, text } = verdict(row, row.message);
            return (
              <li key={row.address}>
                <b>{row.address}</b>
                <State mood={mood} icon={icon}>
                  {text}
                </State>
              </li>
            );
          })}
        </ul>
      ) : (
        <p>
          {data || error ? (
            <Trans>The logs do not say what became of it: it may have been deleted by an administrator.</Trans>
          ) : (
            <Trans>Looking into the logs...</Trans>
          )}
        </p>
      )}
    </Notice>
  );
}
