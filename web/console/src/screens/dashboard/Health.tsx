import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { toast } from "@/api/operations.ts";
import { useSchema } from "@/api/schema.ts";
import { Button } from "@/parts/base/Button.tsx";
import { Icon } from "@/parts/base/Icon.tsx";
import { Moment, octets } from "@/parts/base/Moment.tsx";
import { byGrade, checksOf, type Grade, gradeOf, placeOf } from "@/screens/health/check.ts";
import { GradeState } from "@/screens/health/Grade.tsx";
import { pageOf, pathOf } from "@/screens/settings/pages.ts";
import css from "./Dashboard.module.css";
import { settingOf, type Status } from "./status.ts";

interface Row {
  readonly id: string;
  readonly grade: Grade;
  readonly title: string;
  readonly text: string;
  readonly since?: string | null;
  /** Where it is mended. */
  readonly to?: { path: string; search?: Record<string, string>; verb: string };
}

/** With more rows than this, those that pass are folded: what must be mended is to be seen at once. */
const MOST = 8;

export function Health({ status }: { status: Status | undefined }) {
  const { t } = useLingui();
  const { data: checks, look, looking } = useChecks();
  const own = useOwn(status);
  const rows = byGrade(checks ?? own);
  const count = (grade: Grade) => rows.filter((row) => row.grade === grade).length;
  const [fail, warn, pass] = [count("fails"), count("warns"), count("passes")];
  const many = rows.length > MOST;
  const shown = many ? rows.filter((row) => row.grade !== "passes") : rows;
  const folded = many ? rows.filter((row) => row.grade === "passes") : [];
  return (
    <section className={`${css.card} ${css.health}`} aria-busy={!status}>
      <header>
        <h2>
          <Link to="/health">{t`Health`}</Link>
        </h2>
        {status && <p>{t`${fail} fail, ${warn} warn, ${pass} pass`}</p>}
        {checks && (
          <Button small icon="redo" busy={looking} onClick={() => void look()}>
            <Trans>Run checks</Trans>
          </Button>
        )}
      </header>
      {status ? (
        <>
          <ul>
            {shown.map((row) => (
              <Item key={row.id} row={row} />
            ))}
          </ul>
          {folded.length > 0 && (
            <details className={css.folded}>
              <summary>
                <Plural value={folded.length} one="# check passes" other="# checks pass" />
              </summary>
              <ul>
                {folded.map((row) => (
                  <Item key={row.id} row={row} />
                ))}
              </ul>
            </details>
          )}
          {checks && (
            <Link to="/health" className={css.more}>
              <Trans>All health checks</Trans>
              <Icon name="right" />
            </Link>
          )}
        </>
      ) : (
        <div className={css.bones} aria-hidden>
          {[70, 52, 61, 44].map((width) => (
            <span key={width} style={{ width: `${width}%` }} />
          ))}
        </div>
      )}
    </section>
  );
}

function Item({ row }: { row: Row }) {
  return (
    <li>
      <GradeState grade={row.grade} />
      <div>
        <b>{row.title}</b>
        <span>{row.text}</span>
      </div>
      {row.since ? (
        <span className={css.since}>
          <Moment at={row.since} />
        </span>
      ) : (
        <span />
      )}
      {row.to ? (
        <Link className={css.mend} to={row.to.path} search={(row.to.search ?? {}) as never}>
          {row.to.verb}
        </Link>
      ) : (
        <span />
      )}
    </li>
  );
}

/** The checks of `doctor`, where this server has it. */
function useChecks() {
  const { t } = useLingui();
  const { data: schema } = useSchema();
  const has = schema?.calls.some((call) => call.noun === "doctor") ?? false;
  const [looking, setLooking] = useState(false);
  const queries = useQueryClient();
  const { data } = useQuery({
    queryKey: ["doctor"],
    enabled: has,
    queryFn: ({ signal }) => checksOf(true, signal),
    select: (checks): readonly Row[] =>
      checks.map((each) => {
        const { check, state, title, text, since, advice } = each;
        const place = placeOf(each);
        return {
          id: check,
          grade: gradeOf(state),
          title,
          text: state === "ok" || !advice ? text : `${text} ${advice}`,
          since,
          ...(state !== "ok" && place ? { to: { ...place, verb: t`Show` } } : {}),
        };
      }),
    retry: false,
    refetchInterval: 60_000,
  });
  const look = async () => {
    setLooking(true);
    try {
      queries.setQueryData(["doctor"], await checksOf(false));
    } catch (error) {
      toast(t`The checks could not be made: ${error instanceof Error ? error.message : ""}`, "failed");
    }
    setLooking(false);
  };
  return { data, look, looking };
}

/** What every server tells of itself. */
function useOwn(status: Status | undefined): readonly Row[] {
  const { t } = useLingui();
  if (!status) return [];
  const wanted = status.services.filter((each) => each.state !== "off");
  const silent = wanted.filter((each) => each.state !== "listening");
  const memory = status.processes.reduce((sum, each) => sum + each.memory, 0);
  const names = silent.map((each) => each.service).join(", ");
  return [
    ...status.attention
      .filter(
        (each) => !/ is (?:refused|partly): /.test(each.text) && !/^free space is|^the file system/.test(each.text),
      )
      .map(({ level, text }, at): Row => {
        const setting = settingOf(text);
        return {
          id: `attention ${at}`,
          grade: gradeOf(level),
          title: setting ? t`Setting` : level === "danger" ? t`Danger` : t`Notice`,
          text,
          ...(setting ? { to: { path: pathOf(pageOf(setting)), search: { setting }, verb: t`Change` } } : {}),
        };
      }),
    {
      id: "services",
      grade: silent.some((each) => each.state === "refused") ? "fails" : silent.length ? "warns" : "passes",
      title: t`Services`,
      text: silent.length
        ? t`${wanted.length - silent.length} of ${wanted.length} listen; not: ${names}`
        : t`${wanted.length} of ${wanted.length} listen`,
      ...(silent.length ? { to: { path: "/services", verb: t`Show` } } : {}),
    },
    {
      id: "disk",
      grade: status.space === "enough" ? "passes" : status.space === "low" ? "warns" : "fails",
      title: t`Disk`,
      text:
        status.space === "enough"
          ? t`${octets(status.free)} free`
          : status.space === "low"
            ? t`Only ${octets(status.free)} free: make room soon`
            : t`${octets(status.free)} free: no mail is taken in, nothing is lost`,
    },
    {
      id: "processes",
      grade: "passes",
      title: t`Processes`,
      text: t`${status.processes.length} run, with ${octets(memory)} of memory`,
    },
  ];
}
