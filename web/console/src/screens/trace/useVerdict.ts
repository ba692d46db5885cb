/** What became of a message, in words. */
import { useLingui } from "@lingui/react/macro";
import { useMemo } from "react";
import type { IconName } from "@/parts/base/icons.ts";
import { shortTime } from "@/parts/base/Moment.tsx";
import type { Mood } from "@/parts/base/State.tsx";
import type { Message, Outcome } from "./story.ts";

export interface Words {
  readonly mood: Mood;
  readonly icon: IconName;
  readonly text: string;
}

/** `2026-11-24 17:57:14` as the server writes it, without the seconds and, if it is today, the day. */
const clock = (text: string): string => {
  const at = new Date(text.replace(" ", "T"));
  return Number.isNaN(at.getTime()) ? text : shortTime(at);
};

/** A reply without what our own log adds behind it. */
export const reply = (status: string): string => status.replace(/\s*\([^()]*\)$/, "");

export function useVerdict(): (outcome: Outcome, message: Message) => Words {
  const { t, i18n } = useLingui();
  return useMemo(
    () => (outcome, message) => {
      const { fate, status, folders, remote, next } = outcome;
      const at = shortTime(new Date(outcome.at));
      const mailbox = (outcome.mailbox || outcome.address).split("@")[0] ?? "";
      const place = [mailbox, folders.join(", ")].filter(Boolean).join(" / ");
      const points = message.score?.map((each) => i18n.number(each, { maximumFractionDigits: 1 }));
      const said = reply(status);
      switch (fate) {
        case "delivered":
          return { mood: "ok", icon: "ok", text: t`Delivered to ${place} ${at}` };
        case "junk":
          return {
            mood: "warn",
            icon: "filter",
            text: points ? t`In Junk: ${points[0] ?? ""} of ${points[1] ?? ""}` : t`In Junk of ${mailbox} ${at}`,
          };
        case "relayed":
          return {
            mood: "ok",
            icon: "ok",
            text: remote ? t`Taken by ${remote} ${at}` : t`Taken by the next server ${at}`,
          };
        case "waiting": {
          const again = next && clock(next);
          const why = said || t`is tried soon`;
          return {
            mood: "warn",
            icon: "clock",
            text: again ? t`Waiting: ${why}, next try ${again}` : t`Waiting: ${why}`,
          };
        }
        case "held":
          if (said === "delivery/hold-remote")
            return { mood: "muted", icon: "pause", text: t`Held: mail to other servers is held back (${said})` };
          return { mood: "muted", icon: "pause", text: said ? t`Held in the queue: ${said}` : t`Held in the queue` };
        case "returned":
          return { mood: "error", icon: "error", text: t`Returned to the sender: ${said}` };
        case "refused":
          return { mood: "error", icon: "ban", text: t`Refused: ${said}` };
        case "discarded":
          return { mood: "error", icon: "trash", text: t`Discarded: ${said}` };
        default:
          return { mood: "info", icon: "mail", text: t`Accepted, on its way` };
      }
    },
    [t, i18n],
  );
}
