import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { ApiError } from "@shared/errors.ts";
import { read } from "@/api/admin.ts";
import { useTopic } from "@/api/live.ts";
import { me } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Moment, octets, shortTime } from "@/parts/base/Moment.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { LinkButton } from "@/parts/base/LinkButton.tsx";
import { State, Verdict } from "@/parts/base/State.tsx";
import { Drawer, Facts } from "@/parts/drawer/Drawer.tsx";
import { FormSkeleton } from "@/parts/form/FormSkeleton.tsx";
import type { QueueActions } from "./actions.ts";
import { DeleteMessages } from "./DeleteMessages.tsx";
import { isDue, type QueueView, traceOf } from "./message.ts";
import css from "./MessageDrawer.module.css";
import { Source } from "./Source.tsx";

const Fate = lazy(() => import("./Fate.tsx"));

interface Props {
  id: string;
  actions: QueueActions;
  readOnly: string;
  onClose: () => void;
}

export function MessageDrawer({ id, actions, readOnly, onClose }: Props) {
  const { t } = useLingui();
  const who = useStore(me);
  const queries = useQueryClient();
  const [source, setSource] = useState(false);
  const { data, error, refetch } = useQuery({
    queryKey: ["queue", "show", id],
    queryFn: ({ signal }) => read<QueueView>("queue", "show", { id }, signal),
    retry: false,
  });
  const again = () => void queries.invalidateQueries({ queryKey: ["queue", "show", id] });
  useTopic("queue", again);
  const title = t`Message ${id}`;
  const gone = error instanceof ApiError && error.status === 404;
  const after = (act: (ids: readonly string[]) => void) => () => (act([id]), setTimeout(again, 500));
  return (
    <Drawer
      title={title}
      label={title}
      subtitle={data && t`In the queue since ${shortTime(new Date(data.created))}`}
      onClose={onClose}
      footer={
        data &&
        !gone && (
          <>
            {!readOnly && (
              <>
                {!data.held && (
                  <Button icon="redo" onClick={after(actions.tryNow)}>
                    <Trans>Try now</Trans>
                  </Button>
                )}
                {data.held ? (
                  <Button icon="play" onClick={after(actions.release)}>
                    <Trans>Release</Trans>
                  </Button>
                ) : (
                  <Button icon="pause" onClick={after(actions.hold)}>
                    <Trans>Hold</Trans>
                  </Button>
                )}
              </>
            )}
            <Button
              icon="eye"
              disabledBecause={who?.mail_read ? undefined : t`It is people's mail: that needs the right “mail-read”`}
              onClick={() => setSource(true)}
            >
              <Trans>View source</Trans>
            </Button>
            <LinkButton icon="trace" {...traceOf(id)}>
              <Trans>Trace</Trans>
            </LinkButton>
            {!readOnly && (
              <DeleteMessages count={1} className="end" onDelete={(report) => actions.remove([id], report)} />
            )}
          </>
        )
      }
    >
      {gone ? (
        <Suspense fallback={<FormSkeleton />}>
          <Fate id={id} />
        </Suspense>
      ) : error ? (
        <Failure what={t`The message could not be read.`} error={error} retry={() => void refetch()} />
      ) : data ? (
        <Details message={data} />
      ) : (
        <FormSkeleton />
      )}
      {source && <Source id={id} onClose={() => setSource(false)} />}
    </Drawer>
  );
}

function Details({ message }: { message: QueueView }) {
  const { t } = useLingui();
  const waiting = message.recipients.filter((each) => !/delivered|returned|done/i.test(each.state));
  const why = waiting.find((each) => each.status)?.status ?? "";
  const next = message.next_attempt ? shortTime(new Date(message.next_attempt)) : "";
  return (
    <>
      {message.held ? (
        <Verdict
          mood="muted"
          icon="pause"
          title={message.parked ? t`Held: ${message.parked}` : t`Held by an administrator`}
        />
      ) : message.given_up ? (
        <Verdict mood="error" title={t`Being returned: ${message.given_up}`} />
      ) : (
        <Verdict
          mood={why ? "warn" : "info"}
          icon="clock"
          title={why ? t`Waiting: ${why}` : t`Waiting to be delivered`}
        >
          <p>
            {message.attempts > 0 && <Trans>Tried {message.attempts} times. </Trans>}
            {isDue(message) ? <Trans>Is tried as soon as possible.</Trans> : next && <Trans>Next try {next}.</Trans>}
          </p>
        </Verdict>
      )}
      <Facts
        facts={[
          [t`From`, message.sender || t`<> (a report)`],
          message.user !== "" && [t`Sent by`, message.user],
          [t`Created`, <Moment key="at" at={message.created} />],
          message.client !== "" && [t`Sending host`, message.client],
          [t`Size`, octets(message.size)],
          message.message_id !== "" && [t`Message-ID`, <code key="id">{message.message_id}</code>],
          message.require_tls && [t`TLS`, t`required by the sender`],
        ]}
      />
      <h3>
        <Trans>Recipients</Trans>
      </h3>
      <ul className={css.recipients}>
        {message.recipients.map((each) => (
          <li key={each.address}>
            <b>{each.address}</b>
            <State
              mood={/delivered|done/i.test(each.state) ? "ok" : each.status ? "warn" : "info"}
              icon={each.status ? "clock" : "mail"}
            >
              {each.state}
            </State>
            {each.status && <code>{each.status}</code>}
            {each.remote && <span className="muted">{each.remote}</span>}
          </li>
        ))}
      </ul>
    </>
  );
}
