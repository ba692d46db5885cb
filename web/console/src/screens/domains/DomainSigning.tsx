/** The keys that sign a domain's mail (DKIM): what to publish, whether it is, and new ones. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type Page, read, run } from "@/api/admin.ts";
import { toast } from "@/api/operations.ts";
import { Button, IconButton } from "@/parts/base/Button.tsx";
import { Moment } from "@/parts/base/Moment.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { State, Verdict } from "@/parts/base/State.tsx";
import { FormSkeleton } from "@/parts/form/FormSkeleton.tsx";
import css from "./DomainSigning.module.css";
import { type DomainKey, generationsOf, type Generation } from "./signing.ts";

const EVERY = 15;

export function DomainSigning({ name, readOnly }: { name: string; readOnly: string }) {
  const { t } = useLingui();
  const [busy, setBusy] = useState(false);
  const { data, error, refetch } = useQuery({
    queryKey: ["domain", "dkim", name],
    queryFn: ({ signal }) => read<Page<DomainKey>>("domain", "dkim", { name }, signal),
    retry: false,
    // Records appear in the name system while one looks.
    refetchInterval: EVERY * 1000,
  });
  if (!data)
    return error ? (
      <Failure what={t`The keys could not be read.`} error={error} retry={() => void refetch()} />
    ) : (
      <FormSkeleton />
    );
  const generations = generationsOf(data.items);
  const act = async (verb: string, body: object) => {
    setBusy(true);
    try {
      const { result } = await run<{ text: string }>("domain", verb, { name, ...body });
      toast(result.text);
      await refetch();
    } catch (failed) {
      toast(failed instanceof Error ? failed.message : String(failed), "failed");
    } finally {
      setBusy(false);
    }
  };
  const prepared = generations.some((each) => each.state === "prepared");
  const because = readOnly || (prepared ? t`New keys are prepared already: publish their records first` : undefined);
  return (
    <>
      <Summary generations={generations} />
      <p className={css.make}>
        <Button
          kind={generations.length ? "plain" : "primary"}
          icon="key"
          busy={busy}
          disabledBecause={because}
          onClick={() => void act("dkim-generate", {})}
        >
          {generations.length ? <Trans>Make new keys</Trans> : <Trans>Make keys</Trans>}
        </Button>
      </p>
      {generations.map((each) => (
        <section key={each.name} className={css.keys}>
          <h3>
            {each.name} <Standing generation={each} />
          </h3>
          {each.keys.map((key) => (
            <Record key={key.name} of={key} />
          ))}
          {each.state !== "signing" && (
            <Button
              small
              busy={busy}
              disabledBecause={readOnly || (each.published ? undefined : t`Its records are not published`)}
              onClick={() => void act("dkim-use", { keys: each.name })}
            >
              <Trans>Sign with these</Trans>
            </Button>
          )}
        </section>
      ))}
    </>
  );
}

function Summary({ generations }: { generations: readonly Generation[] }) {
  const { t } = useLingui();
  const signing = generations.find((each) => each.state === "signing");
  const prepared = generations.find((each) => each.state === "prepared");
  if (signing && !signing.published)
    return (
      <Verdict mood="error" title={t`Signed, but nobody can verify it`}>
        <p>
          <Trans>The records of the keys are not in the name system as they stand below.</Trans>
        </p>
      </Verdict>
    );
  if (prepared)
    return (
      <Verdict mood="info" icon="clock" title={t`New keys wait for their records`}>
        <p>
          <Trans>
            Publish both records below. The server looks every ten minutes and signs with them from then on.
          </Trans>
        </p>
      </Verdict>
    );
  if (signing) return <Verdict mood="ok" title={t`Mail from this domain is signed`} />;
  return (
    <Verdict mood="warn" title={t`Mail from this domain is not signed`}>
      <p>
        <Trans>Large providers put unsigned mail into Junk or refuse it.</Trans>
      </p>
    </Verdict>
  );
}

function Standing({ generation: { state, since } }: { generation: Generation }) {
  const words = { prepared: <Trans>prepared</Trans>, signing: <Trans>signing</Trans>, retired: <Trans>retired</Trans> };
  const mood = { prepared: "info", signing: "ok", retired: "muted" } as const;
  const icon = { prepared: "clock", signing: "ok", retired: "history" } as const;
  return (
    <State mood={mood[state]} icon={icon[state]}>
      {words[state]} <Moment at={since} />
    </State>
  );
}

function Record({ of: key }: { of: DomainKey }) {
  const { t } = useLingui();
  const copy = async () => {
    await navigator.clipboard.writeText(key.record).catch(() => undefined);
    toast(t`Copied: the record ${key.name}`);
  };
  const published = {
    yes: (
      <State mood="ok">
        <Trans>published</Trans>
      </State>
    ),
    no: (
      <State mood="warn">
        <Trans>not published</Trans>
      </State>
    ),
    other: (
      <State mood="error">
        <Trans>published with another key</Trans>
      </State>
    ),
    unknown: (
      <State mood="muted">
        <Trans>not known: the name system does not answer</Trans>
      </State>
    ),
  };
  return (
    <div className={css.record}>
      <p>
        <code>{key.name}</code> TXT {published[key.published]}
      </p>
      <div>
        <code>{key.record}</code>
        <IconButton icon="copy" label={t`Copy the record ${key.name}`} onClick={() => void copy()} />
      </div>
    </div>
  );
}
