/** What `status` and `doctor` tell, as rows of one list: what fails first. */
export interface Status {
  readonly version: string;
  readonly started: string;
  readonly waiting: number;
  readonly held: number;
  readonly free: number;
  /** enough, low, full or read-only. */
  readonly space: string;
  readonly attention: readonly { level: string; text: string }[];
  readonly services: readonly { service: string; state: string }[];
  readonly processes: readonly { name: string; memory: number }[];
}

/** A health check of `doctor`. */
export interface Check {
  readonly check: string;
  readonly title: string;
  /** ok, warning, error or unknown. */
  readonly state: string;
  readonly text: string;
  readonly advice: string;
  readonly since: string | null;
  readonly screen: string;
}

export type Grade = "fails" | "warns" | "passes" | "unknown";

const ORDER: readonly Grade[] = ["fails", "warns", "unknown", "passes"];
export const byGrade = <T extends { grade: Grade }>(rows: readonly T[]): readonly T[] =>
  rows.toSorted((a, b) => ORDER.indexOf(a.grade) - ORDER.indexOf(b.grade));

export const gradeOf = (state: string): Grade =>
  (({ ok: "passes", warning: "warns", error: "fails", danger: "fails", wrong: "fails" }) as Record<string, Grade>)[
    state
  ] ?? "unknown";

/** `smtp/max-message-size: text` is about that setting. */
export const settingOf = (text: string): string => /^([a-z][a-z0-9-]*(?:\/[a-z0-9-]+)+): /.exec(text)?.[1] ?? "";
