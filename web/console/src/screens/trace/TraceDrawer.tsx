/** One message: the sentence, what became of it for each recipient, and how it came to that. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Link, useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { stream } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { Button } from "@/parts/base/Button.tsx";
import { octets, shortTime } from "@/parts/base/Moment.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { Verdict } from "@/parts/base/State.tsx";
import { Drawer, Facts } from "@/parts/drawer/Drawer.tsx";
import { FormSkeleton } from "@/parts/form/FormSkeleton.tsx";
import { asText } from "./asText.ts";
import { type Message, messagesOf, moving, type Outcome, type TraceStep } from "./story.ts";
import { Timeline } from "./Timeline.tsx";
import css from "./Trace.module.css";
import { useVerdict } from "./useVerdict.ts";

interface Props {
  id: string;
  recipient: string;
  onOpen: (id: string | null) => void;
}

export function TraceDrawer({ id, recipient, onOpen }: Props) {
  const { t } = useLingui();
  const navigate = useNavigate();
  const { data, error, refetch } = useQuery({
    queryKey: ["trace", id],
    queryFn: async ({ signal }) => {
      const steps: TraceStep[] = [];
      for await (const step of stream<TraceStep>("trace", "", { id }, signal)) steps.push(step);
      return messagesOf(steps);
    },
    retry: false,
  });
  const message = data?.find((each) => each.id === id);
  const outcome = message?.outcomes.find((each) => each.address === recipient) ?? message?.outcomes[0];
  const follows = !!message && moving(message);
  useFollowing(follows ? id : "", () => void refetch());
  const title = message?.subject || t`Message ${id}`;
  const copy = async () => {
    if (!message || !outcome) return;
    await navigator.clipboard.writeText(asText(message, outcome));
    toast(t`Copied: what the sender may know, without our own names`);
  };
  const inQueue = message?.steps.some((step) => step.log === "queue");
  return (
    <Drawer
      title={title}
      label={title}
      subtitle={message && <Line message={message} />}
      onClose={() => onOpen(null)}
      footer={
        message && (
          <>
            <Button icon="copy" onClick={() => void copy()}>
              <Trans>Copy for the sender</Trans>
            </Button>
            {inQueue && (
              <Button icon="queue" onClick={() => void navigate({ to: "/queue", search: { open: id } as never })}>
                <Trans>Open in the queue</Trans>
              </Button>
            )}
            <Button icon="log" onClick={() => void navigate({ to: "/logs", search: { log: "all", q: id } as never })}>
              <Trans>Log lines</Trans>
            </Button>
          </>
        )
      }
    >
      {error ? (
        <Failure what={t`The message could not be traced.`} error={error} retry={() => void refetch()} />
      ) : !message ? (
        <FormSkeleton />
      ) : (
        <>
          {outcome && <Sentence {...{ message, outcome }} />}
          {follows && (
            <p className={css.live}>
              <i className="dot" />
              <Trans>Live: what happens to it next appears here</Trans>
            </p>
          )}
          <h3>
            <Trans>What happened</Trans>
          </h3>
          <Timeline message={message} recipient={outcome?.address ?? ""} />
          <Came others={(data ?? []).filter((each) => each.id !== id)} onOpen={onOpen} />
          <Facts
            facts={[
              [t`From`, message.sender || t`<> (a report)`],
              message.user !== "" && [
                t`Sent by`,
                <Link key="u" to="/users" search={{ open: message.user } as never}>
                  {message.user}
                </Link>,
              ],
              message.host !== "" && [t`Sending host`, message.host],
              message.size > 0 && [t`Size`, octets(message.size)],
              message.messageId !== "" && [t`Message-ID`, <code key="m">{message.messageId}</code>],
              [t`Queue ID`, <code key="q">{message.id}</code>],
            ]}
          />
        </>
      )}
    </Drawer>
  );
}

function Line({ message }: { message: Message }) {
  const { t } = useLingui();
  const at = shortTime(new Date(message.at));
  const to = message.outcomes.map((each) => each.address);
  const whom = to.length > 2 ? `${to[0]} +${to.length - 1}` : to.join(", ");
  return <>{t`${at}, ${message.sender || "<>"} to ${whom}`}</>;
}

function Sentence({ message, outcome }: { message: Message; outcome: Outcome }) {
  const { mood, icon, text } = useVerdict()(outcome, message);
  const seconds = (new Date(outcome.at).getTime() - new Date(message.at).getTime()) / 1000;
  const delay = message.steps.findLast((step) => step.event === "Sent" && step.fields.Delay)?.fields.Delay;
  const done = outcome.fate === "delivered" || outcome.fate === "junk" || outcome.fate === "relayed";
  return (
    <Verdict mood={mood} icon={icon} title={text}>
      <p className="muted">
        {done && delay ? (
          <Trans>{delay} s after it was accepted.</Trans>
        ) : outcome.status ? (
          <code>{outcome.status}</code>
        ) : seconds > 1 ? (
          <Trans>Since {shortTime(new Date(message.at))}.</Trans>
        ) : null}
      </p>
    </Verdict>
  );
}

/** Reports and copies that came of it. */
function Came({ others, onOpen }: { others: readonly Message[]; onOpen: (id: string) => void }) {
  const verdict = useVerdict();
  if (!others.length) return null;
  return (
    <>
      <h3>
        <Trans>What came of it</Trans>
      </h3>
      <ul className={css.tree}>
        {others.map((each) => {
          const first = each.outcomes[0];
          return (
            <li key={each.id}>
              <button type="button" className="link" onClick={() => onOpen(`${each.id} ${first?.address ?? ""}`)}>
                {each.subject || first?.address || each.id}
              </button>
              {first && <span className={verdict(first, each).mood}>{verdict(first, each).text}</span>}
            </li>
          );
        })}
      </ul>
    </>
  );
}

const SOON = 250;

/** Asks again when the logs tell something new of it. */
function useFollowing(id: string, again: () => void): void {
  const [failures, setFailures] = useState(0);
  useEffect(() => {
    if (!id) return undefined;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const follow = async () => {
      let known = true;
      // The steps that are known come first, within moments.
      setTimeout(() => (known = false), 1500);
      for await (const _ of stream<TraceStep>("trace", "", { id, follow: true }, stop.signal)) {
        clearTimeout(timer);
        if (!known) timer = setTimeout(again, SOON);
      }
    };
    const retry = () => stop.signal.aborted || (timer = setTimeout(() => setFailures((count) => count + 1), 5000));
    follow().then(retry, retry);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- `again` is the same for one id
  }, [id, failures]);
}
