/** Which charts there are: their series by the server's names. */
import type { MessageDescriptor } from "@lingui/core";
import { msg } from "@lingui/core/macro";

export interface ChartLine {
  readonly series: string;
  readonly name: MessageDescriptor;
  readonly colour: string;
}

export interface ChartSpec {
  readonly id: string;
  readonly title: MessageDescriptor;
  /** `rate`: counts, given for a minute, an hour or a day; `share`: milliseconds of work, as percent. */
  readonly kind: "rate" | "number" | "octets" | "octet-rate" | "seconds" | "share";
  readonly lines: readonly ChartLine[];
}

export const CHARTS: readonly ChartSpec[] = [
  {
    id: "messages",
    title: msg`Messages`,
    kind: "rate",
    lines: [
      { series: "messages-in", name: msg`accepted`, colour: "accent" },
      { series: "deliveries.delivered-local", name: msg`to mailboxes`, colour: "ok" },
      { series: "deliveries.delivered-remote", name: msg`to other servers`, colour: "info" },
    ],
  },
  {
    id: "refused",
    title: msg`Refused and failed`,
    kind: "rate",
    lines: [
      { series: "refused", name: msg`refused`, colour: "error" },
      { series: "deliveries.failed", name: msg`returned`, colour: "warn" },
      { series: "deliveries.delayed", name: msg`put off`, colour: "muted" },
    ],
  },
  {
    id: "queue",
    title: msg`Queue`,
    kind: "number",
    lines: [
      { series: "queue", name: msg`waiting`, colour: "accent" },
      { series: "queue-held", name: msg`held`, colour: "muted" },
    ],
  },
  {
    id: "latency",
    title: msg`Time from acceptance to the mailbox`,
    kind: "seconds",
    lines: [
      { series: "latency.p50", name: msg`half of all`, colour: "accent" },
      { series: "latency.p95", name: msg`95 of 100`, colour: "warn" },
    ],
  },
  {
    id: "connections",
    title: msg`Connections`,
    kind: "number",
    lines: [{ series: "connections-now", name: msg`open`, colour: "accent" }],
  },
  {
    id: "sign-ins",
    title: msg`Sign-ins`,
    kind: "rate",
    lines: [
      { series: "sign-ins", name: msg`succeeded`, colour: "ok" },
      { series: "sign-ins-failed", name: msg`failed`, colour: "error" },
    ],
  },
  {
    id: "octets",
    title: msg`Traffic of clients`,
    kind: "octet-rate",
    lines: [
      { series: "octets-in", name: msg`in`, colour: "accent" },
      { series: "octets-out", name: msg`out`, colour: "info" },
    ],
  },
  {
    id: "cpu",
    title: msg`Processor`,
    kind: "share",
    lines: [{ series: "cpu", name: msg`of one core`, colour: "accent" }],
  },
  {
    id: "memory",
    title: msg`Memory`,
    kind: "octets",
    lines: [{ series: "memory", name: msg`of the server`, colour: "accent" }],
  },
  {
    id: "disk",
    title: msg`Free disk space`,
    kind: "octets",
    lines: [{ series: "disk-free", name: msg`free`, colour: "accent" }],
  },
];

export const ALL_SERIES = CHARTS.flatMap((chart) => chart.lines.map((line) => line.series));
