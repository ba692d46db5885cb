/** The story of messages, as `trace` tells it step by step: which messages, to whom, and what became of each. */

export interface TraceStep {
  /** The queue id of the message. */
  readonly id: string;
  readonly at: string;
  /** Which log has it; `queue`: what it waits for at this moment. */
  readonly log: string;
  readonly event: string;
  readonly fields: Readonly<Record<string, string>>;
  /** The id of a message that came of it: a report, a forwarded copy. */
  readonly causes: string;
  readonly text: string;
}

export type Fate =
  | "delivered"
  | "junk"
  | "relayed"
  | "waiting"
  | "held"
  | "returned"
  | "refused"
  | "discarded"
  | "under-way";

/** What became of a message for one recipient. */
export interface Outcome {
  readonly address: string;
  readonly fate: Fate;
  readonly at: string;
  /** The reply, as the log has it. */
  readonly status: string;
  readonly mailbox: string;
  readonly folders: readonly string[];
  readonly remote: string;
  /** When it is tried again, as the server writes it; empty if it is not known. */
  readonly next: string;
}

export interface Message {
  readonly id: string;
  readonly at: string;
  readonly sender: string;
  readonly subject: string;
  readonly messageId: string;
  readonly size: number;
  /** The address of the client that brought it. */
  readonly host: string;
  readonly user: string;
  /** Points and limit of the spam filter. */
  readonly score: readonly [number, number] | null;
  readonly steps: readonly TraceStep[];
  readonly outcomes: readonly Outcome[];
  /** The message that it came of, if one did. */
  readonly cause: string;
}

/** One row of results: a message and a recipient. */
export interface TraceRow extends Outcome {
  readonly message: Message;
}

export const rowId = (row: TraceRow): string => `${row.message.id} ${row.address}`;

export const bare = (address: string | undefined): string => (address ?? "").trim().replace(/^<(.*)>$/, "$1");

/** `<a@x.test>, <b@y.test> and 3 more`: the addresses in it. */
export const addresses = (list: string | undefined): readonly string[] =>
  [...(list ?? "").matchAll(/<([^<>]+)>/g)].map((match) => match[1] ?? "");

/** The newest message first. */
export function messagesOf(steps: readonly TraceStep[]): readonly Message[] {
  const byId = new Map<string, TraceStep[]>();
  for (const step of steps) byId.set(step.id, [...(byId.get(step.id) ?? []), step]);
  return [...byId].map(([id, own]) => messageOf(id, own)).toSorted((a, b) => b.at.localeCompare(a.at));
}

export const rowsOf = (messages: readonly Message[]): readonly TraceRow[] =>
  messages.flatMap((message) => message.outcomes.map((outcome) => ({ ...outcome, message })));

/** Something may still happen to it. */
export const moving = (message: Message): boolean =>
  message.outcomes.some((outcome) => outcome.fate === "waiting" || outcome.fate === "under-way");

/** Logs have seconds: what is of the same one stands in the order in which it is done. */
const rank = ({ event, log }: TraceStep): number => {
  if (log === "queue") return 9;
  if (log === "now") return 8;
  if (event === "Recv") return 0;
  if (log === "debug") return 1;
  return event === "Judged" ? 2 : event === "Sent" ? 3 : 4;
};

function messageOf(id: string, told: readonly TraceStep[]): Message {
  const steps = told.toSorted((a, b) => a.at.localeCompare(b.at) || rank(a) - rank(b));
  const received = steps.find((step) => step.event === "Recv");
  const first = received ?? steps.find((step) => step.fields.From) ?? steps[0];
  const field = (name: string) => received?.fields[name] ?? steps.find((step) => step.fields[name])?.fields[name] ?? "";
  const judged = steps.findLast((step) => step.event === "Judged");
  const score = judged?.fields.Score;
  return {
    id,
    at: first?.at ?? "",
    sender: bare(field("From")),
    subject: field("Subject"),
    messageId: bare(field("Msg-Id")),
    size: Number(received?.fields.Size ?? 0),
    host: field("Sender-Host"),
    user: received?.fields.User ?? "",
    score: score === undefined ? null : [Number(score), Number(judged?.fields.Required ?? 0)],
    steps,
    outcomes: outcomesOf(steps, judged?.fields.Action === "junk"),
    cause: steps.find((step) => step.event === "Caused" && step.causes !== "")?.fields.Cause ?? "",
  };
}

const FATES: Readonly<Record<string, Fate>> = {
  delivered: "delivered",
  relayed: "relayed",
  delayed: "waiting",
  failed: "returned",
  parked: "held",
  discarded: "discarded",
};

function outcomesOf(steps: readonly TraceStep[], junk: boolean): readonly Outcome[] {
  const known = new Map<string, Outcome>();
  for (const step of steps) {
    if (step.event === "Sent") {
      const outcome = sentOf(step, junk);
      const before = known.get(outcome.address);
      const folders = before?.fate === outcome.fate ? [...before.folders, ...outcome.folders] : outcome.folders;
      known.set(outcome.address, { ...outcome, folders: [...new Set(folders)] });
    } else if (step.event.startsWith("Refused")) {
      for (const address of refusedOf(step)) known.set(address, { ...plain(address, step), fate: "refused" });
    } else if (step.log === "queue") {
      for (const outcome of queuedOf(step)) known.set(outcome.address, { ...known.get(outcome.address), ...outcome });
    }
  }
  const received = steps.find((step) => step.event === "Recv");
  const settled = [...known.values()].some((outcome) => outcome.fate !== "refused");
  if (received && !settled) {
    // Nothing is known of anybody yet. Where something is, an address without news was an alias of those.
    for (const address of addresses(received.fields.To)) known.set(address, plain(address, received));
  }
  return [...known.values()];
}

const plain = (address: string, step: TraceStep): Outcome => ({
  address,
  fate: "under-way",
  at: step.at,
  status: step.fields.Status ?? "",
  mailbox: bare(step.fields.Mailbox),
  folders: [],
  remote: step.fields["Remote-Host"] ?? "",
  next: "",
});

function sentOf(step: TraceStep, junk: boolean): Outcome {
  const folder = step.fields.Folder ?? "";
  const fate = FATES[step.fields.Result ?? ""] ?? "under-way";
  const inJunk = fate === "delivered" && (/^junk/i.test(folder) || (junk && !folder));
  return {
    ...plain(bare(step.fields.Recipient), step),
    fate: inJunk ? "junk" : fate,
    folders: folder ? [folder] : [],
  };
}

/** A recipient that was refused, or all of a message that was. */
function refusedOf(step: TraceStep): readonly string[] {
  const single = bare(step.fields.Recipient);
  return single ? [single] : addresses(step.fields.To);
}

function queuedOf(step: TraceStep): readonly Outcome[] {
  const { State: state = "", "Next-Attempt": next = "" } = step.fields;
  return Object.entries(step.fields)
    .filter(([label]) => /^Recipient-\d+$/.test(label))
    .map(([, value]) => {
      const status = /\((.*)\)$/s.exec(value)?.[1] ?? "";
      const fate: Fate = state === "waiting" ? "waiting" : "held";
      const address = addresses(value)[0] ?? value;
      return { ...plain(address, step), fate, status: status || (fate === "held" ? state : ""), next };
    });
}
