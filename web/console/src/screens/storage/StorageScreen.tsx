/** The disk and how long it lasts, what holds its room, the health of the store, and what mends it. */
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { type Page as Listed, read, run } from "@/api/admin.ts";
import { useTopic } from "@/api/live.ts";
import { toast } from "@/api/operations.ts";
import { Page, Scroll } from "@/app/Page.tsx";
import { Button } from "@/parts/base/Button.tsx";
import { octets } from "@/parts/base/Moment.tsx";
import { Failure } from "@/parts/base/Notice.tsx";
import { FormSkeleton } from "@/parts/form/FormSkeleton.tsx";
import { Disk } from "./Disk.tsx";
import { Holders } from "./Holders.tsx";
import { Mending } from "./Mending.tsx";
import { Moving } from "./Moving.tsx";
import { Relief } from "./Relief.tsx";
import css from "./Storage.module.css";
import { isAlive, type Operation, type Space, type Usage, verbOf } from "./storage.ts";

export default function StorageScreen() {
  const { t } = useLingui();
  const queries = useQueryClient();
  const space = useQuery({
    queryKey: ["store", "space"],
    queryFn: ({ signal }) => read<Space>("store", "space", {}, signal),
    refetchInterval: 20_000,
    retry: false,
  });
  const usage = useQuery({
    queryKey: ["store", "usage"],
    queryFn: ({ signal }) => read<Usage>("store", "usage", {}, signal),
    retry: false,
  });
  const ended = useCallback(() => void queries.invalidateQueries({ queryKey: ["store"] }), [queries]);
  const operations = useStoreWork(ended);
  const counting = operations.find((each) => verbOf(each) === "count" && isAlive(each));
  const count = async () => {
    try {
      await run("store", "count", {}, { later: true });
      void queries.invalidateQueries({ queryKey: ["operation", "list"] });
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), "failed");
    }
  };
  const left = space.data && octets(space.data.free);
  const action = (
    <Button kind="primary" icon="redo" busy={!!counting} onClick={() => void count()}>
      {counting ? <Trans>Counting: {counting.percent} %</Trans> : <Trans>Count mailboxes</Trans>}
    </Button>
  );
  return (
    <Page title={t`Storage`} summary={left && t`${left} free`} action={action}>
      <Scroll label={t`Storage`}>
        <div className={css.page}>
          {space.data ? (
            <Disk space={space.data} usage={usage.data} />
          ) : space.error ? (
            <Failure
              what={t`The disk could not be looked at.`}
              error={space.error}
              retry={() => void space.refetch()}
            />
          ) : (
            <FormSkeleton />
          )}
          {usage.error ? (
            <Failure what={t`The count could not be read.`} error={usage.error} retry={() => void usage.refetch()} />
          ) : (
            usage.data && <Holders usage={usage.data} action={action} counting={!!counting} />
          )}
          {space.data && <Relief space={space.data} usage={usage.data} />}
          <Moving operations={operations} />
          <Mending operations={operations} />
        </div>
      </Scroll>
    </Page>
  );
}

/** Work on the store, the latest first; `ended` is called when some of it has ended. */
function useStoreWork(ended: () => void): readonly Operation[] {
  const [live, setLive] = useState<readonly Operation[] | null>(null);
  const first = useQuery({
    queryKey: ["operation", "list"],
    queryFn: ({ signal }) => read<Listed<Operation>>("operation", "list", {}, signal),
    retry: false,
  });
  useTopic<Listed<Operation>>("operations", ({ items }) => {
    setLive((before) => {
      // What takes a moment is never seen while it runs.
      const over = new Set((before ?? []).filter((each) => !isAlive(each)).map((each) => each.id));
      if (items.some((each) => !isAlive(each) && !over.has(each.id))) queueMicrotask(ended);
      return items;
    });
  });
  return (live ?? first.data?.items ?? []).filter((each) => verbOf(each) !== null);
}
