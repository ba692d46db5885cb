import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type Page as Listed, question, read, run } from "@/api/admin.ts";
import { useFresh, useLiveStatus } from "@/api/live.ts";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Page, Scroll } from "@/app/Page.tsx";
import { Button } from "@/parts/base/Button.tsx";
import type { IconName } from "@/parts/base/icons.ts";
import { number } from "@/parts/base/Moment.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { type Mood, State } from "@/parts/base/State.tsx";
import { FormSkeleton } from "@/parts/form/FormSkeleton.tsx";
import { Asked } from "./Asked.tsx";
import css from "./Services.module.css";

interface ServiceRow {
  readonly service: string;
  readonly state: string;
  readonly listen: readonly string[];
  readonly tls: string;
  readonly connections: number;
  readonly detail: string;
}

/** How a connection is encrypted, in the words of mail programs. */
const TLS: Readonly<Record<string, string>> = { starttls: "STARTTLS", implicit: "TLS", none: "–", off: "–" };

type Verb = "start" | "stop" | "restart";

export default function ServicesScreen() {
  const { t } = useLingui();
  const { data, error, refetch } = useQuery({
    queryKey: ["service", "list"],
    queryFn: ({ signal }) => read<Listed<ServiceRow>>("service", "list", {}, signal),
    retry: false,
  });
  useFresh("services", () => void refetch(), 4);
  const rows = data?.items;
  return (
    <Page title={t`Services`} summary={rows && <Summary rows={rows} stale={!!error} />}>
      <Scroll label={t`Services`}>
        {rows ? (
          <Matrix rows={rows} stale={!!error} again={() => void refetch()} />
        ) : error ? (
          <Failure what={t`The services could not be read.`} error={error} retry={() => void refetch()} />
        ) : (
          <div className={css.loading}>
            <FormSkeleton />
          </div>
        )}
      </Scroll>
    </Page>
  );
}

function Summary({ rows, stale }: { rows: readonly ServiceRow[]; stale: boolean }) {
  const { t } = useLingui();
  const { state } = useLiveStatus();
  const wanted = rows.filter((row) => row.state !== "off");
  const answering = wanted.filter((row) => row.state === "listening").length;
  return (
    <>
      {t`${answering} of ${wanted.length} listen`}
      {stale && state !== "live" && t`, not live`}
    </>
  );
}

/** The services with faults first: they are why one comes here. */
const rank = (row: ServiceRow) => ["refused", "partly", "starting", "stopped", "listening", "off"].indexOf(row.state);

function Matrix({ rows, stale, again }: { rows: readonly ServiceRow[]; stale: boolean; again: () => void }) {
  const { t } = useLingui();
  const sorted = rows.map((row, at) => ({ row, at })).toSorted((a, b) => rank(a.row) - rank(b.row) || a.at - b.at);
  return (
    <table className={css.table} data-stale={stale || undefined}>
      <thead>
        <tr>
          <th scope="col">{t`Service`}</th>
          <th scope="col">{t`State`}</th>
          <th scope="col">{t`Addresses and ports`}</th>
          <th scope="col">{t`TLS`}</th>
          <th scope="col" data-align="end">{t`Connections`}</th>
          <th scope="col">
            <span className="hidden">{t`Actions`}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {sorted.map(({ row }) => (
          <Service key={row.service} row={row} again={again} />
        ))}
      </tbody>
    </table>
  );
}

function Service({ row, again }: { row: ServiceRow; again: () => void }) {
  const { t } = useLingui();
  const may = mayChange(useStore(me), "server");
  const [busy, setBusy] = useState<Verb | null>(null);
  const [asked, setAsked] = useState<{ verb: Verb; text: string } | null>(null);
  const [failure, setFailure] = useState("");
  const because = may ? undefined : t`Your right is to look, not to change`;
  const name = row.service;
  const off = row.state === "off";
  const down = row.state === "stopped" || off;

  const act = async (verb: Verb) => {
    setAsked(null);
    setBusy(verb);
    setFailure("");
    try {
      await run("service", verb, { name });
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    }
    setBusy(null);
    again();
  };
  const ask = async (verb: Verb) => {
    try {
      const text = await question("service", verb, { name });
      // Nobody is put out: nothing to ask.
      if (!text || (verb === "restart" && row.connections === 0)) await act(verb);
      else setAsked({ verb, text });
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <>
      <tr data-detail={row.detail || failure ? "" : undefined}>
        <th scope="row">{name}</th>
        <td data-place="state">
          <ServiceState state={row.state} />
        </td>
        <td className="mono">{row.listen.join(", ") || "–"}</td>
        <td>{off ? "–" : (TLS[row.tls] ?? row.tls)}</td>
        <td data-align="end">
          {row.connections > 0 ? (
            <Link to="/connections" search={{ service: name } as never} className="link">
              {number(row.connections)}
            </Link>
          ) : (
            <span className="muted">0</span>
          )}
        </td>
        <td>
          <div className={css.actions}>
            {down ? (
              <Button
                small
                icon="play"
                busy={busy === "start"}
                disabledBecause={because}
                onClick={() => void act("start")}
              >
                <Trans>Start</Trans>
              </Button>
            ) : (
              <>
                <Button
                  small
                  icon="redo"
                  busy={busy === "restart"}
                  disabledBecause={because}
                  onClick={() => void ask("restart")}
                >
                  <Trans>Restart</Trans>
                </Button>
                <Button
                  small
                  icon="stop"
                  busy={busy === "stop"}
                  disabledBecause={because}
                  onClick={() => void ask("stop")}
                >
                  <Trans>Stop</Trans>
                </Button>
              </>
            )}
          </div>
        </td>
      </tr>
      {(row.detail || failure) && (
        <tr className={css.detail}>
          <td colSpan={6}>
            {failure && (
              <p className="error" role="alert">
                {failure}
              </p>
            )}
            {row.detail && (
              <p>
                {row.state === "stopped"
                  ? t`By a person: until it is started here, or the server starts again.`
                  : row.detail}
              </p>
            )}
            {(row.state === "refused" || row.state === "partly") && (
              <Link
                to="/settings/services"
                search={{ setting: `services/${name.replaceAll("_", "-")}/listen` } as never}
                className="link"
              >
                <Trans>Choose another port</Trans>
              </Link>
            )}
          </td>
        </tr>
      )}
      {asked && (
        <Asked
          here={name === "console"}
          text={asked.text}
          verb={asked.verb === "stop" ? t`Stop ${name}` : t`Restart ${name}`}
          connections={row.connections}
          onYes={() => void act(asked.verb)}
          onNo={() => setAsked(null)}
        />
      )}
    </>
  );
}

function ServiceState({ state }: { state: string }) {
  const { t } = useLingui();
  const words: Record<string, [Mood, IconName, string]> = {
    listening: ["ok", "ok", t`Listening`],
    partly: ["warn", "warn", t`Partly listening`],
    refused: ["error", "error", t`Port refused`],
    starting: ["info", "clock", t`Starting`],
    stopped: ["warn", "stop", t`Stopped`],
    off: ["muted", "ban", t`Off`],
  };
  const [mood, icon, text] = words[state] ?? ["muted", "info", state];
  return (
    <State mood={mood} icon={icon}>
      {text}
    </State>
  );
}
