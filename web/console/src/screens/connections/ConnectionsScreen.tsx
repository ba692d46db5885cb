import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useCallback, useMemo, useState } from "react";
import { run } from "@/api/admin.ts";
import { useFresh } from "@/api/live.ts";
import { toast } from "@/api/operations.ts";
import { me, mayChange } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { Page } from "@/app/Page.tsx";
import { useListUrl } from "@/app/url.ts";
import { Button } from "@/parts/base/Button.tsx";
import { number } from "@/parts/base/Moment.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { Split } from "@/parts/drawer/Drawer.tsx";
import { List, type Selected } from "@/parts/list/List.tsx";
import { ListModel } from "@/parts/list/model.ts";
import { useConnectionColumns } from "./columns.tsx";
import { type ConnectionRow, connections, type Totals } from "./connection.ts";
import { ConnectionDrawer } from "./ConnectionDrawer.tsx";

const FILTERS = ["service"];

export default function ConnectionsScreen() {
  const { t } = useLingui();
  const may = mayChange(useStore(me), "accounts");
  const [totals, setTotals] = useState<Totals | null>(null);
  const model = useMemo(
    () =>
      new ListModel<ConnectionRow>({
        id: (row) => row.id,
        fetch: (request, signal) => connections(request, setTotals, signal),
      }),
    [],
  );
  const { query, onQuery, open, onOpen } = useListUrl(FILTERS);
  const columns = useConnectionColumns();
  useFresh("connections", () => model.refresh(), 2);
  const disconnect = useCallback(
    async (body: { ids?: readonly string[]; user?: string; address?: string }) => {
      try {
        const { result } = await run<{ text?: string }>("connection", "disconnect", body);
        toast(result.text ?? t`Disconnected`);
      } catch (error) {
        toast(error instanceof Error ? error.message : String(error), "failed");
      }
      model.refresh();
    },
    [model, t],
  );
  return (
    <Page title={t`Connections`} summary={totals && <Summary totals={totals} />}>
      <Split>
        <List
          name="connections"
          label={t`Connections of clients`}
          {...{ model, columns, query, onQuery, open, onOpen }}
          placeholder={t`Filter by user, IP or network`}
          filters={
            <Services
              value={query.filters.service ?? ""}
              counts={totals?.services ?? {}}
              onChange={(service) => onQuery({ filters: { service } })}
            />
          }
          failed={t`The connections could not be read.`}
          empty={
            <Notice icon="plug" title={<Trans>Nobody is connected.</Trans>}>
              <p>
                <Trans>Mail programs, phones and other servers appear here as they connect.</Trans>
              </p>
            </Notice>
          }
          {...(may
            ? {
                bulk: ({ ids, clear }: Selected<ConnectionRow>) => (
                  <Button kind="danger" icon="plug" onClick={() => (void disconnect({ ids }), clear())}>
                    <Plural value={ids.length} one="Disconnect" other="Disconnect #" />
                  </Button>
                ),
              }
            : {})}
        />
        {open !== null && (
          <ConnectionDrawer
            key={open}
            id={open}
            model={model}
            disconnect={may ? disconnect : null}
            onClose={() => onOpen(null)}
          />
        )}
      </Split>
    </Page>
  );
}

function Summary({ totals }: { totals: Totals }) {
  const parts = Object.entries(totals.services)
    .toSorted(([, a], [, b]) => b - a)
    .map(([service, count]) => `${service} ${number(count)}`);
  return (
    <>
      <Plural value={totals.total} one="# open" other="# open" />
      {parts.length > 0 && `: ${parts.join(", ")}`}
    </>
  );
}

function Services({
  value,
  counts,
  onChange,
}: {
  value: string;
  counts: Readonly<Record<string, number>>;
  onChange: (service: string) => void;
}) {
  const { t } = useLingui();
  const names = [...new Set([...Object.keys(counts), ...(value ? [value] : [])])].toSorted();
  return (
    <select className="select" aria-label={t`Service`} value={value} onChange={(event) => onChange(event.target.value)}>
      <option value="">{t`All services`}</option>
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}
