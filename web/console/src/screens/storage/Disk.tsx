/** The disk in one sentence and one bar. */
import { Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { octets, span } from "@/parts/base/Moment.tsx";
import { type Mood, Verdict } from "@/parts/base/State.tsx";
import css from "./Storage.module.css";
import { change, type Part, parts, type Space, type Usage } from "./storage.ts";

/** Less than this, and somebody must act. */
const SOON = 14 * 86_400;

export function Disk({ space, usage }: { space: Space; usage: Usage | undefined }) {
  const { t } = useLingui();
  const { mood, title } = useSentence(space);
  const made = parts(space, usage);
  const names: Record<Part, string> = {
    mail: t`Mail`,
    deleted: t`Deleted, kept`,
    removed: t`Of removed users`,
    indexes: t`Indexes`,
    queue: t`Queue`,
    logs: t`Logs`,
    other: made.length > 2 ? t`Everything else` : t`In use`,
    free: t`Free`,
  };
  const mark = (limit: number) => (space.total ? `${(100 * (1 - limit / space.total)).toFixed(2)}%` : "100%");
  const grows = space.grows === null ? "" : octets(Math.abs(space.grows));
  return (
    <section className={css.card}>
      <Verdict mood={mood} icon="disk" title={title}>
        <p className="muted">
          {t`Below ${octets(space.hard)} no mail is taken in; below ${octets(space.soft)} a warning is given and deleted mail is no longer kept.`}{" "}
          {space.grows === null
            ? t`How fast it fills is known after some hours.`
            : space.grows > 0
              ? t`It fills by ${grows} a day.`
              : t`It has not grown in the last week.`}
        </p>
      </Verdict>
      <div className={css.bar} aria-hidden="true">
        {made.map(({ part, share }) => (
          <i key={part} data-part={part} style={{ width: `${(share * 100).toFixed(3)}%` }} />
        ))}
        <b style={{ left: mark(space.soft) }} data-limit="soft" />
        <b style={{ left: mark(space.hard) }} data-limit="hard" />
      </div>
      <ul className={css.legend}>
        {made.map(({ part, octets: size, grows: rise }) => (
          <li key={part}>
            <i data-part={part} aria-hidden="true" />
            {names[part]} <b>{octets(size)}</b>
            {rise !== null && <span className="muted"> {t`${change(rise)} a day`}</span>}
          </li>
        ))}
        <li className="muted">
          <Trans>of {octets(space.total)} in</Trans> <code>{space.folder}</code>
        </li>
      </ul>
      <p>
        <Link to="/settings/storage" search={{ tab: "space" } as never} className="link">
          <Trans>Limits of free space</Trans>
        </Link>
      </p>
    </section>
  );
}

function useSentence({ state, free, full_in: fullIn }: Space): { mood: Mood; title: string } {
  const { t } = useLingui();
  const left = octets(free);
  if (state === "read-only") return { mood: "error", title: t`The disk cannot be written: no mail is taken in` };
  if (state === "full")
    return { mood: "error", title: t`Full: mail is being put off, nothing is lost. ${left} are left` };
  if (state === "low") return { mood: "warn", title: t`Space is low: ${left} are left` };
  if (fullIn === null) return { mood: "ok", title: t`There is room: ${left} are free` };
  const time = span(fullIn);
  return {
    mood: fullIn < SOON ? "warn" : "ok",
    title: t`Full in ${time} at the growth of the last week; ${left} are free`,
  };
}
