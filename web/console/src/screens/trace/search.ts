/** Finding messages by whatever somebody has: addresses, a Message-ID, a queue id, a host, words of the subject, or a
 * whole report that holds some of these. */
import { ApiError } from "@shared/errors.ts";
import { type Page, read, stream } from "@/api/admin.ts";
import { type Message, messagesOf, type TraceStep } from "./story.ts";

export type Way = "" | "from" | "to";

export interface Sought {
  readonly ids: readonly string[];
  readonly messageIds: readonly string[];
  readonly addresses: readonly string[];
  readonly hosts: readonly string[];
  /** What has no shape of its own. */
  readonly words: string;
}

export interface Found {
  readonly messages: readonly Message[];
  /** What the server says of its search: how far back the logs reach. */
  readonly note: string;
  /** More would have fitted. */
  readonly cut: boolean;
}

const MOST = 100;
const LINES = 400;
/** How many stories are read at a time. */
const ABREAST = 4;
const QUEUE_ID = /\b[0-9a-f]{8}-[0-9a-f]{8}(?:\.[0-9a-z]+)*\b/gi;
const MESSAGE_ID = /<[^\s<>]+@[^\s<>]+>/g;
const LABELLED_ID = /message-id:\s*(<[^\s<>]+>)/gi;
const ADDRESS = /[^\s<>@;:,"'()]+@[a-z0-9.-]+[a-z0-9]/gi;
const IP =
  /(?<![\w:.])(?:\d{1,3}(?:\.\d{1,3}){3}|(?=[0-9a-f:]*::|(?:[0-9a-f]+:){7})[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})(?![\w:.])/gi;
/** What people write between addresses. */
const BETWEEN = /(?:^|\s)(?:from|to|by|von|an|->|→)(?=\s|$)/gi;
const DOMAIN = /^@?((?:[a-z0-9-]+\.)+[a-z]{2,})$/i;

/** What is in `text`. `<a@b>` alone is taken for a Message-ID, as in headers; `a@b` for an address. */
export function understood(text: string): Sought {
  const take = (from: string, pattern: RegExp): [readonly string[], string] => [
    [...new Set((from.match(pattern) ?? []).map((each) => each.toLowerCase()))],
    from.replace(pattern, " "),
  ];
  const long = text.length > 200 || text.includes("\n");
  if (long) {
    // A report or a header: the ids in it say more than the addresses.
    const labelled = [...text.matchAll(LABELLED_ID)].map((match) => match[1] ?? "");
    const [queueIds] = take(text, QUEUE_ID);
    if (labelled.length || queueIds.length)
      return { ...NOTHING, messageIds: labelled.slice(-1), ids: queueIds.slice(0, 1) };
    const [addresses] = take(text, ADDRESS);
    return { ...NOTHING, addresses: addresses.slice(0, 2), words: addresses.length ? "" : text.trim().slice(0, 100) };
  }
  const [messageIds, first] = [text.match(MESSAGE_ID) ?? [], text.replace(MESSAGE_ID, " ")];
  const [ids, second] = take(first, QUEUE_ID);
  const [addresses, third] = take(second, ADDRESS);
  const [hosts, rest] = take(third, IP);
  const words = (addresses.length ? rest.replace(BETWEEN, " ") : rest).trim().replace(/\s+/g, " ");
  const domain = DOMAIN.exec(words)?.[1];
  return domain
    ? { ids, messageIds, hosts, addresses: [...addresses, domain.toLowerCase()], words: "" }
    : { ids, messageIds, addresses, hosts, words };
}

const NOTHING: Sought = { ids: [], messageIds: [], addresses: [], hosts: [], words: "" };

export const isEmpty = (sought: Sought): boolean => Object.values(sought).every((each) => each.length === 0);

/** The calls of `trace` that together find everything: alternatives, not conditions. */
export function questions(
  { ids, messageIds, addresses, hosts: [host], words }: Sought,
  way: Way,
): readonly Record<string, string>[] {
  if (ids.length) return ids.slice(0, 4).map((id) => ({ id }));
  if (messageIds.length) return messageIds.slice(0, 4).map((id) => ({ message_id: id }));
  const [one, other] = addresses;
  if (!one) return host && !words ? [{ host }] : [];
  if (other) {
    const there = { sender: one, to: other };
    const back = { sender: other, to: one };
    return way === "from" ? [there] : way === "to" ? [back] : [there, back];
  }
  return way === "from" ? [{ sender: one }] : way === "to" ? [{ to: one }] : [{ sender: one }, { to: one }];
}

export async function search(text: string, way: Way, since: string, signal: AbortSignal): Promise<Found> {
  const sought = understood(text);
  const asked = questions(sought, way);
  const answers = await Promise.all(
    asked.length
      ? asked.map((question) => story({ ...question, since: question.id ? "" : since }, signal))
      : [byLines(sought, since, signal)],
  );
  const steps = new Map(answers.flatMap((answer) => answer.steps.map((step) => [step.log + step.text, step])));
  const messages = messagesOf([...steps.values()]);
  const fitting = messages.filter((message) => fits(message, sought));
  return {
    messages: fitting,
    note: fitting.length ? "" : (answers.find((answer) => answer.note)?.note ?? ""),
    cut: answers.some((answer) => answer.cut),
  };
}

/** What no call asks for beside addresses and ids. */
function fits(message: Message, { hosts, words, addresses, ids, messageIds }: Sought): boolean {
  if (!addresses.length && !ids.length && !messageIds.length) return true;
  const all = `${message.subject}\n${message.steps.map((step) => step.text).join("\n")}`.toLowerCase();
  return hosts.every((host) => all.includes(host)) && all.includes(words.toLowerCase());
}

interface Answer {
  readonly steps: readonly TraceStep[];
  readonly note: string;
  readonly cut: boolean;
}

/** All steps that one call of `trace` tells of. */
async function story(query: Record<string, string>, signal: AbortSignal): Promise<Answer> {
  const steps: TraceStep[] = [];
  try {
    for await (const step of stream<TraceStep>("trace", "", { ...query, limit: MOST }, signal)) steps.push(step);
  } catch (error) {
    if (error instanceof ApiError && error.kind === "not_found") return { steps, note: error.message, cut: false };
    throw error;
  }
  return { steps, note: "", cut: new Set(steps.map((step) => step.id)).size >= MOST };
}

interface Line {
  readonly text: string;
}

/** By lines of the mail log that name a host, or hold the words: the messages they belong to. */
async function byLines({ hosts, words }: Sought, since: string, signal: AbortSignal): Promise<Answer> {
  const query = { log: ["mail"], host: hosts[0] ?? "", text: words, since: since || "7d", newest: true, limit: LINES };
  const page = await read<Page<Line> & { note: string }>("log", "search", query, signal);
  const ids = [...new Set(page.items.flatMap((line) => queueIds(line.text)))];
  const chosen = ids.slice(0, MOST);
  const steps: TraceStep[] = [];
  for (let at = 0; at < chosen.length; at += ABREAST) {
    // oxlint-disable-next-line no-await-in-loop -- few at a time, so that a search does not keep the server busy
    const answers = await Promise.all(chosen.slice(at, at + ABREAST).map((id) => story({ id }, signal)));
    steps.push(...answers.flatMap((answer) => answer.steps));
  }
  return { steps, note: page.note, cut: ids.length > MOST || page.more !== "" };
}

const queueIds = (line: string): readonly string[] => /Queue-ID: ([0-9a-f.-]+)/i.exec(line)?.slice(1, 2) ?? [];
