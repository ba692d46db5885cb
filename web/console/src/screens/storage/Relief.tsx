/** What frees space, most first: what is lost by it, and whether it can be taken back. */
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { read } from "@/api/admin.ts";
import { octets } from "@/parts/base/Moment.tsx";
import css from "./Storage.module.css";
import { type Place, type Relief as Way, reliefs, type Space, type Usage } from "./storage.ts";

interface Said {
  readonly what: ReactNode;
  readonly loss: string;
  readonly undo: string;
  readonly verb: string;
  readonly to?: readonly [path: string, search: Record<string, string>];
}

export function Relief({ space, usage }: { space: Space; usage: Usage | undefined }) {
  const { t } = useLingui();
  const { data: place } = useQuery({
    queryKey: ["store", "place"],
    queryFn: ({ signal }) => read<Place>("store", "place", {}, signal),
    retry: false,
  });
  const say = useSaid();
  const ways = reliefs(space, usage, place);
  return (
    <section className={css.card}>
      <h2>
        <Trans>What frees space</Trans>
      </h2>
      {!usage?.counted && (
        <p className="muted">
          <Trans>What deleted mail and removed users hold is known after a count of the mailboxes.</Trans>
        </p>
      )}
      <ul className={css.reliefs}>
        {ways.map((way) => {
          const { what, loss, undo, verb, to } = say(way);
          return (
            <li key={way.way}>
              <b>{way.octets === null ? "" : octets(way.octets)}</b>
              <div>
                <p>{what}</p>
                <p className="muted">
                  {loss} {undo}
                </p>
              </div>
              {to ? (
                <Link to={to[0]} search={to[1] as never} className="link">
                  {verb}
                </Link>
              ) : (
                <a href="#place" className="link">
                  {verb}
                </a>
              )}
            </li>
          );
        })}
        <li>
          <b />
          <div>
            <p>{t`The store on a larger disk`}</p>
            <p className="muted">{t`Nothing is lost; the store before stays until you delete it.`}</p>
          </div>
          <a href="#place" className="link">
            {t`Move the store`}
          </a>
        </li>
      </ul>
    </section>
  );
}

function useSaid(): (way: Way) => Said {
  const { t } = useLingui();
  return ({ way, count }) => {
    switch (way) {
      case "deleted":
        return {
          what: (
            <>
              <Trans>Deleted mail that is kept</Trans>, <Plural value={count} one="# message" other="# messages" />
            </>
          ),
          loss: t`Keep it for a shorter time: what is older can no longer be restored.`,
          undo: t`It goes in the next round of the server; until then the setting can be taken back.`,
          verb: t`Keep deleted mail shorter`,
          to: ["/settings/storage", { setting: "store/keep-deleted" }],
        };
      case "removed":
        return {
          what: (
            <>
              <Trans>Mailboxes of removed users</Trans>, <Plural value={count} one="# mailbox" other="# mailboxes" />
            </>
          ),
          loss: t`Their mail is deleted for good.`,
          undo: t`Until then a user can be brought back with all mail; after it nothing can.`,
          verb: t`Removed users`,
          to: ["/users", { view: "removed" }],
        };
      case "logs":
        return {
          what: (
            <>
              <Trans>Log files put aside</Trans>, <Plural value={count} one="# file" other="# files" />
            </>
          ),
          loss: t`Keep fewer: logs and message traces do not reach back as far.`,
          undo: t`It goes when the setting is saved, and does not come back.`,
          verb: t`Keep fewer log files`,
          to: ["/settings/logs", { setting: "logs/keep" }],
        };
      case "former":
        return {
          what: <Plural value={count} one="# store left by a move" other="# stores left by a move" />,
          loss: t`No mail of today is in it.`,
          undo: t`After it the move cannot be taken back.`,
          verb: t`Show`,
        };
    }
  };
}
