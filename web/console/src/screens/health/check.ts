/** The health checks of `doctor`, and where what they complain of is mended. */
import { read } from "@/api/admin.ts";
import { screenAt } from "@/app/screens.ts";

export interface Check {
  readonly check: string;
  readonly title: string;
  /** ok, warning, error or unknown. */
  readonly state: string;
  readonly text: string;
  readonly advice: string;
  /** A command that shows more, or mends it. */
  readonly command: string;
  readonly since: string | null;
  readonly looked: string | null;
  /** Who is told when it complains; "nobody". */
  readonly alerts: string;
  /** A path of the console, perhaps with `?`. */
  readonly screen: string;
}

export type Grade = "fails" | "warns" | "passes" | "unknown";

export const GRADES: readonly Grade[] = ["fails", "warns", "unknown", "passes"];
export const byGrade = <T extends { grade: Grade }>(rows: readonly T[]): readonly T[] =>
  rows.toSorted((a, b) => GRADES.indexOf(a.grade) - GRADES.indexOf(b.grade));

export const gradeOf = (state: string): Grade =>
  (({ ok: "passes", warning: "warns", error: "fails", danger: "fails", wrong: "fails" }) as Record<string, Grade>)[
    state
  ] ?? "unknown";

export const unheard = (check: Pick<Check, "alerts">): boolean => check.alerts === "nobody";

/** `kept`: what the last look came to, without a new one. */
export const checksOf = async (kept: boolean, signal?: AbortSignal): Promise<readonly Check[]> =>
  (await read<{ checks: readonly Check[] }>("doctor", "", { all: true, kept }, signal)).checks;

export interface Place {
  readonly path: string;
  readonly search: Readonly<Record<string, string>>;
}

/** The screen, or the setting on it, that shows what a check looks at. Undefined: this console has no such screen. */
export function placeOf({ screen }: Pick<Check, "screen">): Place | undefined {
  const [path = "", query = ""] = screen.split("?");
  return screenAt(path) ? { path, search: Object.fromEntries(new URLSearchParams(query)) } : undefined;
}
