/** What the disk has left, what mailboxes hold of it, and work on the store that is under way. */
import { octets } from "@/parts/base/Moment.tsx";

export interface Space {
  readonly folder: string;
  readonly total: number;
  readonly free: number;
  readonly soft: number;
  readonly hard: number;
  /** enough, low, full, read-only. */
  readonly state: string;
  /** Octets a day; null: too little is known. */
  readonly grows: number | null;
  /** Seconds; null: never, or too little is known. */
  readonly full_in: number | null;
  readonly parts: readonly SpacePart[];
}

/** What of the server's own, beside mail, is on that disk. */
export interface SpacePart {
  /** indexes, queue, logs. */
  readonly name: string;
  readonly size: number;
  /** Octets a day. */
  readonly grows: number | null;
  /** Of it, what can go without loss of mail. */
  readonly spare: number;
  readonly spare_files: number;
}

export interface Held {
  readonly messages: number;
  readonly size: number;
  readonly deleted_messages: number;
  readonly deleted_size: number;
}

export interface DomainUsage extends Held {
  readonly name: string;
  readonly mailboxes: number;
  /** Octets a day; null: it is not known yet. */
  readonly grows: number | null;
}

export interface MailboxUsage extends Held {
  readonly account: string;
  readonly grows: number | null;
}

export interface Usage extends Held {
  /** Null: never. */
  readonly counted: string | null;
  readonly mailboxes: number;
  readonly removed_mailboxes: number;
  readonly removed_size: number;
  readonly domains: readonly DomainUsage[];
  readonly largest: readonly MailboxUsage[];
  /** Octets a day, of all mailboxes. */
  readonly grows: number | null;
  readonly fastest: readonly MailboxUsage[];
}

export interface Operation {
  readonly id: string;
  /** "store check alice@example.org" */
  readonly work: string;
  readonly user: string;
  /** waiting, running, done, tried, failed, cancelled, undone, interrupted. */
  readonly state: string;
  readonly percent: number;
  readonly started: string;
  readonly ended: string | null;
  readonly error: string;
}

/** Where the store is, and the latest move of it. */
export interface Place {
  readonly folder: string;
  /** copying, ready, failed, done; empty: it never moved. */
  readonly state: string;
  readonly source: string;
  readonly target: string;
  readonly by: string;
  readonly began: string | null;
  readonly ended: string | null;
  /** Seconds that no mail was served. */
  readonly stopped: number;
  readonly error: string;
  readonly left: readonly Left[];
}

export interface Left {
  readonly path: string;
  /** store: the one before; copy: unfinished. */
  readonly kind: string;
  readonly since: string;
}

/** What a move would take; times in seconds. */
export interface Prospect {
  readonly target: string;
  readonly by_rename: boolean;
  readonly resumes: boolean;
  readonly files: number;
  readonly size: number;
  readonly free: number;
  readonly copying: number;
  readonly stopped: number;
}

/** Of check, repair and reindex. */
export interface FolderLine {
  readonly account: string;
  readonly folder: string;
  readonly messages: number;
  readonly problems: readonly string[];
  readonly repaired: readonly string[];
}

export type Part = "mail" | "deleted" | "removed" | "indexes" | "queue" | "logs" | "other" | "free";
const OWN: readonly string[] = ["indexes", "queue", "logs"] satisfies Part[];

export interface Shared {
  readonly part: Part;
  readonly octets: number;
  readonly share: number;
  /** Octets a day; null: it is not known, or says nothing. */
  readonly grows: number | null;
}

/** How the disk is shared out, in octets. What mailboxes hold is counted for each recipient and the disk has a message
 * once, so the parts of mail may be more than what is used: then they are drawn smaller. */
export function parts(space: Space, usage: Usage | undefined): Shared[] {
  const used = Math.max(0, space.total - space.free);
  const counted = usage?.counted ? usage : undefined;
  const mail = counted?.size ?? 0;
  const deleted = counted?.deleted_size ?? 0;
  const removed = counted?.removed_size ?? 0;
  const own = space.parts.filter((each) => OWN.includes(each.name));
  const beside = own.reduce((total, each) => total + each.size, 0);
  const sum = mail + deleted + removed;
  const room = Math.max(0, used - beside);
  const scale = sum > room ? room / sum : 1;
  const rest = Math.max(0, room - sum);
  const all: [Part, number, number, number | null][] = [
    // What is deleted and kept is in the growth of mailboxes: that is what fills the disk.
    ["mail", mail, mail * scale, counted?.grows ?? null],
    ["deleted", deleted, deleted * scale, null],
    ["removed", removed, removed * scale, null],
    ...own.map((each): [Part, number, number, number | null] => [each.name as Part, each.size, each.size, each.grows]),
    ["other", rest, rest, null],
    ["free", space.free, space.free, null],
  ];
  return all
    .filter(([part, octets]) => octets > 0 || part === "free")
    .map(([part, octets, drawn, grows]) => ({ part, octets, grows, share: space.total ? drawn / space.total : 0 }));
}

export interface Relief {
  readonly way: "deleted" | "removed" | "logs" | "former";
  /** Null: it was not counted. */
  readonly octets: number | null;
  /** Messages, mailboxes, files or stores. */
  readonly count: number;
}

/** What could be freed, most first. */
export function reliefs(space: Space, usage: Usage | undefined, place: Pick<Place, "left"> | undefined): Relief[] {
  const counted = usage?.counted ? usage : undefined;
  const logs = space.parts.find((each) => each.name === "logs");
  const all: Relief[] = [
    { way: "deleted", octets: counted?.deleted_size ?? 0, count: counted?.deleted_messages ?? 0 },
    { way: "removed", octets: counted?.removed_size ?? 0, count: counted?.removed_mailboxes ?? 0 },
    { way: "logs", octets: logs?.spare ?? 0, count: logs?.spare_files ?? 0 },
    { way: "former", octets: null, count: place?.left.length ?? 0 },
  ];
  // A store of former days is as large as all mail was.
  const size = (each: Relief) => each.octets ?? Number.POSITIVE_INFINITY;
  return all.filter((each) => each.count > 0).toSorted((a, b) => size(b) - size(a));
}

/** Of a day, with its sign. */
export function change(by: number | null): string {
  if (by === null) return "";
  return by === 0 ? "0" : `${by > 0 ? "+" : "−"}${octets(Math.abs(by))}`;
}

const WORK = /^store (check|repair|reindex|count|move|old-delete)(?= |$)/;

export type StoreVerb = "check" | "repair" | "reindex" | "count" | "move" | "old-delete";

/** Which of the calls it is; null: no work on the store. */
export function verbOf({ work }: Pick<Operation, "work">): StoreVerb | null {
  return (WORK.exec(work)?.[1] as StoreVerb | undefined) ?? null;
}

export const isAlive = ({ state }: Pick<Operation, "state">): boolean => state === "running" || state === "waiting";

/** The parameters of a call on one mailbox, one folder of it, or everything. */
export function scope(account: string, folder: string): Record<string, string | boolean> {
  const name = account.trim();
  return name ? { account: name, ...(folder.trim() ? { folder: folder.trim() } : {}) } : { all: true };
}

export interface Outcome {
  readonly folders: number;
  readonly messages: number;
  /** Folders with something to say, the first of them. */
  readonly lines: readonly FolderLine[];
  readonly wrong: number;
  readonly mended: number;
}

export const NOTHING: Outcome = { folders: 0, messages: 0, lines: [], wrong: 0, mended: 0 };
const MOST = 200;

export function taken(before: Outcome, line: FolderLine): Outcome {
  const said = line.problems.length > 0 || line.repaired.length > 0;
  return {
    folders: before.folders + 1,
    messages: before.messages + line.messages,
    lines: said && before.lines.length < MOST ? [...before.lines, line] : before.lines,
    wrong: before.wrong + (line.problems.length ? 1 : 0),
    mended: before.mended + (line.repaired.length ? 1 : 0),
  };
}
