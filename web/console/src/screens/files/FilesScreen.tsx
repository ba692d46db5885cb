/** The two configuration files: what is so with them, edits made outside, former versions. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useCallback, useMemo, useState } from "react";
import { read } from "@/api/admin.ts";
import { useTopic } from "@/api/live.ts";
import { Page } from "@/app/Page.tsx";
import { useListUrl } from "@/app/url.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Moment, octets } from "@/parts/base/Moment.tsx";
import { Notice } from "@/parts/base/Notice.tsx";
import { State } from "@/parts/base/State.tsx";
import { Split } from "@/parts/drawer/Drawer.tsx";
import type { Column } from "@/parts/list/columns.ts";
import { List } from "@/parts/list/List.tsx";
import { ListModel } from "@/parts/list/model.ts";
import { type Check, edited, FILES, idOf, type Version, versions } from "./files.ts";
import css from "./Files.module.css";
import { Outside } from "./Outside.tsx";
import { Problems } from "./Problems.tsx";
import { VersionDrawer } from "./VersionDrawer.tsx";

const FILTERS = ["file"];

export default function FilesScreen() {
  const { t } = useLingui();
  const queries = useQueryClient();
  const [all, setAll] = useState<readonly Version[] | null>(null);
  const model = useMemo(
    () => new ListModel<Version>({ id: idOf, fetch: (request, signal) => versions(request, setAll, signal) }),
    [],
  );
  const { query, onQuery, open, onOpen } = useListUrl(FILTERS);
  const columns = useColumns();
  const check = useQuery({
    queryKey: ["config", "check"],
    queryFn: ({ signal }) => read<Check>("config", "check", {}, signal),
    refetchInterval: 20_000,
    retry: false,
  });
  const outside = useQuery({
    queryKey: ["config", "diff"],
    queryFn: ({ signal }) => read<{ text: string }>("config", "diff", {}, signal),
    refetchInterval: 20_000,
    retry: false,
  });
  const again = useCallback(() => {
    void queries.invalidateQueries({ queryKey: ["config"] });
    model.refresh();
  }, [queries, model]);
  useTopic("config", again);
  const difference = outside.data?.text ?? "";
  return (
    <Page
      title={t`Configuration files`}
      action={
        <Button
          kind="primary"
          icon="check"
          busy={check.isFetching}
          onClick={() => (void check.refetch(), void outside.refetch())}
        >
          <Trans>Check the files</Trans>
        </Button>
      }
    >
      <div className={css.top}>
        <ul className={css.files} aria-label={t`Files`}>
          {FILES.map((file) => (
            <File key={file} {...{ file, all, difference }} check={check.data} failed={check.error} />
          ))}
        </ul>
        {difference !== "" ? (
          <Outside text={difference} check={check.data} onChanged={again} />
        ) : (
          check.data && check.data.problems.length > 0 && <Problems problems={check.data.problems} />
        )}
      </div>
      <Split>
        <List
          name="versions"
          label={t`Former versions`}
          {...{ model, columns, query, onQuery, open, onOpen }}
          placeholder={t`Filter by file, number or date`}
          filters={
            <select
              className="select"
              aria-label={t`File`}
              value={query.filters.file ?? ""}
              onChange={(event) => onQuery({ filters: { file: event.target.value } })}
            >
              <option value="">{t`Both files`}</option>
              {FILES.map((file) => (
                <option key={file}>{file}</option>
              ))}
            </select>
          }
          failed={t`The former versions could not be read.`}
          empty={
            <Notice icon="history" title={<Trans>There are no former versions yet.</Trans>}>
              <p>
                <Trans>
                  With every change the version before it is kept here, and can be compared and brought back.
                </Trans>
              </p>
            </Notice>
          }
        />
        {open !== null && (
          <VersionDrawer key={open} id={open} all={all ?? []} onClose={() => onOpen(null)} onRestored={again} />
        )}
      </Split>
    </Page>
  );
}

/** One file in a line: whether it is in order, since when, how many former versions. */
function File({
  file,
  all,
  difference,
  check,
  failed,
}: {
  file: string;
  /** Null: not known. */
  all: readonly Version[] | null;
  difference: string;
  check: Check | undefined;
  failed: unknown;
}) {
  const { t } = useLingui();
  const own = (all ?? []).filter((version) => version.file === file);
  const written = own.reduce((latest, { replaced }) => (replaced > latest ? replaced : latest), "");
  const said = check?.problems.filter((problem) => problem.file === file) ?? [];
  const faults = said.length;
  // What has a line is a fault of the file; the rest are doubts about what it says.
  const broken = said.some((problem) => problem.line > 0);
  const isEdited = edited(difference).includes(file);
  return (
    <li>
      <b className="mono">{file}</b>
      {failed && !check ? (
        <State mood="error">{failed instanceof Error ? failed.message : String(failed)}</State>
      ) : !check ? (
        <State mood="muted" icon="clock">{t`is being read`}</State>
      ) : isEdited ? (
        <State mood={broken ? "error" : "warn"}>{broken ? t`Edited outside, with faults` : t`Edited outside`}</State>
      ) : faults ? (
        <State mood="warn">
          <Plural value={faults} one="# remark" other="# remarks" />
        </State>
      ) : (
        <State mood="ok">{t`In order`}</State>
      )}
      {all !== null && (
        <span className="muted">
          {written ? (
            <Trans>
              written <Moment at={written} />
            </Trans>
          ) : (
            <Trans>never changed</Trans>
          )}
          {", "}
          <Plural value={own.length} one="# former version" other="# former versions" />
        </span>
      )}
      {file === "mailserver.cfg" && (
        <Link to="/changes" className="link">
          <Trans>Who changed what</Trans>
        </Link>
      )}
    </li>
  );
}

function useColumns(): readonly Column<Version>[] {
  const { t } = useLingui();
  return useMemo(
    () => [
      {
        id: "version",
        title: t`Version`,
        width: "minmax(120px, 1fr)",
        phone: "name",
        cell: ({ number }) => t`Version ${number}`,
        text: ({ number }) => number,
      },
      {
        id: "file",
        title: t`File`,
        width: "minmax(140px, 1fr)",
        phone: "state",
        cell: ({ file }) => <span className="mono">{file}</span>,
        text: ({ file }) => file,
      },
      {
        id: "replaced",
        title: t`In use until`,
        width: "minmax(120px, 1fr)",
        phone: "figure",
        sort: "replaced",
        cell: ({ replaced }) => <Moment at={replaced} />,
        text: ({ replaced }) => replaced,
      },
      {
        id: "size",
        title: t`Size`,
        width: "88px",
        align: "end",
        room: "low",
        sort: "size",
        cell: ({ size }) => <span className="muted">{octets(size)}</span>,
        text: ({ size }) => size,
      },
    ],
    [t],
  );
}
