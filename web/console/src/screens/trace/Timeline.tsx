/** What happened to a message, in phases: the deciding step open, the others folded. */
import { useLingui } from "@lingui/react/macro";
import type { ReactNode } from "react";
import type { IconName } from "@/parts/base/icons.ts";
import { exactTime } from "@/parts/base/Moment.tsx";
import { type Mood, State } from "@/parts/base/State.tsx";
import { bare, type Message, type TraceStep } from "./story.ts";
import css from "./Trace.module.css";
import { reply } from "./useVerdict.ts";

export function Timeline({ message, recipient }: { message: Message; recipient: string }) {
  const described = useStep(message);
  const steps = message.steps;
  const deciding =
    steps.findLast((step) => step.log !== "debug" && bare(step.fields.Recipient) === recipient) ?? steps.at(-1);
  return (
    <div className={css.timeline}>
      {steps.map((step) => (
        <Step key={step.log + step.text} step={step} open={step === deciding} said={described(step)} />
      ))}
    </div>
  );
}

interface Said {
  readonly name: string;
  readonly text: ReactNode;
  readonly mood: Mood;
  readonly icon?: IconName;
  readonly state: string;
}

function Step({ step, open, said }: { step: TraceStep; open: boolean; said: Said }) {
  const at = new Date(step.at);
  const fields = Object.entries(step.fields).filter(([label]) => label !== "Queue-ID");
  return (
    <details open={open}>
      <summary>
        <time dateTime={step.at} title={exactTime(at)}>
          {at.toLocaleTimeString("de", { hour: "2-digit", minute: "2-digit", second: "2-digit" })}
        </time>
        <b>{said.name}</b>
        <span className="ellipsis muted">{said.text}</span>
        <State mood={said.mood} {...(said.icon ? { icon: said.icon } : {})}>
          {said.state}
        </State>
      </summary>
      <dl className={css.fields}>
        {fields.map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

function useStep(message: Message): (step: TraceStep) => Said {
  const { t, i18n } = useLingui();
  const points = (text: string | undefined) => i18n.number(Number(text ?? 0), { maximumFractionDigits: 1 });
  return (step) => {
    const { fields, event } = step;
    const tls = fields.SSL ?? fields.TLS ?? "";
    if (step.log === "queue") {
      const waits = fields.State === "waiting";
      const tries = Number(fields.Attempts ?? 0);
      const next = fields["Next-Attempt"] ?? "";
      return {
        name: t`In the queue`,
        text: waits ? t`${tries} tries, next ${next}` : (fields.State ?? ""),
        mood: waits ? "warn" : "muted",
        icon: waits ? "clock" : "pause",
        state: waits ? t`Waiting` : t`Held`,
      };
    }
    if (step.log === "now")
      return {
        name: t`Where it is`,
        text: Object.values(fields).join("; "),
        mood: "info",
        icon: "mail",
        state: t`Now`,
      };
    if (event === "Recv")
      return {
        name: t`Received`,
        text: [fields["Sender-Host"], fields.User, fields.Service].filter(Boolean).join(", "),
        mood: tls && tls !== "no" ? "ok" : "muted",
        icon: tls && tls !== "no" ? "lock" : "unlock",
        state: tls && tls !== "no" ? (tls === "yes" ? t`With TLS` : tls) : t`Without TLS`,
      };
    if (event === "Judged") {
      const bad = fields.Action && !["deliver", "accept", "pass", "none"].includes(fields.Action);
      return {
        name: t`Spam filter`,
        text: fields.Symbols || t`nothing was noticed`,
        mood: bad ? "warn" : "ok",
        ...(bad ? { icon: "filter" as const } : {}),
        state: t`${points(fields.Score)} of ${points(fields.Required)}`,
      };
    }
    if (event === "Sent") return sent(step);
    if (event.startsWith("Refused"))
      return {
        name: t`Refused`,
        text: bare(fields.Recipient) || bare(fields.From),
        mood: "error",
        icon: "ban",
        state: reply(fields.Status ?? ""),
      };
    if (event === "Report")
      return { name: t`Report`, text: bare(fields.To), mood: "info", icon: "mail", state: fields.Result ?? t`sent` };
    if (event === "Caused")
      return {
        name: t`Came of it`,
        text: fields.Cause === message.id ? step.causes : (fields.Cause ?? ""),
        mood: "info",
        icon: "branch",
        state: t`Another message`,
      };
    if (event === "Administered")
      return { name: t`By hand`, text: fields.User ?? "", mood: "info", icon: "user", state: fields.Action ?? "" };
    const grave = step.log === "error" ? "error" : step.log === "warning" ? "warn" : "muted";
    return {
      name: event || step.log,
      text: Object.entries(fields)
        .filter(([label]) => label !== "Queue-ID")
        .map(([, value]) => value)
        .join(", "),
      mood: grave,
      icon: grave === "muted" ? "info" : grave,
      state: step.log,
    };
  };

  function sent({ fields }: TraceStep): Said {
    const to = bare(fields.Recipient);
    const place = [bare(fields.Mailbox), fields.Folder].filter(Boolean).join(" / ");
    const where = fields["Remote-Host"] || place || to;
    switch (fields.Result) {
      case "delivered":
        return { name: t`Delivery`, text: where, mood: "ok", state: t`Delivered` };
      case "relayed":
        return {
          name: t`Delivery`,
          text: [to, fields["Remote-Host"]].filter(Boolean).join(", "),
          mood: "ok",
          state: t`Passed on`,
        };
      case "delayed":
        return { name: t`Attempt`, text: where, mood: "warn", icon: "clock", state: reply(fields.Status ?? "") };
      case "parked":
        return { name: t`Delivery`, text: to, mood: "muted", icon: "pause", state: t`Held` };
      case "discarded":
        return { name: t`Delivery`, text: to, mood: "error", icon: "trash", state: t`Discarded` };
      default:
        return { name: t`Attempt`, text: where, mood: "error", state: reply(fields.Status ?? "") };
    }
  }
}
