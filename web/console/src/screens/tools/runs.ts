/** What the tools were asked since this page was opened, and what they said: kept while one looks at other screens. */
import { runStream, stream } from "@/api/admin.ts";
import { Store } from "@/api/store.ts";
import { argumentsOf, type Tool, type ToolId } from "./tools.ts";

export interface Step {
  /** look-up, connect, sent, received, tls, certificate, message, result. */
  readonly kind: string;
  readonly text: string;
  /** Since it began. */
  readonly seconds: number;
  readonly facts: Readonly<Record<string, string>>;
  /** What is wrong, in sentences. */
  readonly problems: readonly string[];
}

export interface Run {
  readonly id: number;
  readonly tool: ToolId;
  readonly typed: Readonly<Record<string, string>>;
  readonly at: Date;
  readonly steps: readonly Step[];
  readonly state: "running" | "done" | "failed" | "aborted";
  /** Why it failed. */
  readonly error: unknown;
}

/** As many runs are kept, and as many steps of each. */
const MOST_RUNS = 30;
const MOST_STEPS = 2000;

/** The latest first. */
export const runs = new Store<readonly Run[]>([]);

const aborts = new Map<number, AbortController>();
let next = 1;

type Source = (tool: Tool, args: Record<string, string | number>, signal: AbortSignal) => AsyncIterable<Step>;

const fromServer: Source = (tool, args, signal) =>
  tool.reads ? stream<Step>("test", tool.id, args, signal) : runStream<Step>("test", tool.id, args, signal);

function change(id: number, part: (run: Run) => Partial<Run>): void {
  runs.set(runs.get().map((run) => (run.id === id ? { ...run, ...part(run) } : run)));
}

/** Ends when the tool has; what fails is a state of the run. */
export async function start(
  tool: Tool,
  typed: Readonly<Record<string, string>>,
  source: Source = fromServer,
): Promise<void> {
  const id = next++;
  const abort = new AbortController();
  aborts.set(id, abort);
  const run: Run = { id, tool: tool.id, typed, at: new Date(), steps: [], state: "running", error: null };
  for (const gone of runs.get().slice(MOST_RUNS - 1)) aborts.get(gone.id)?.abort();
  runs.set([run, ...runs.get()].slice(0, MOST_RUNS));
  try {
    for await (const step of source(tool, argumentsOf(tool, typed), abort.signal)) {
      change(id, ({ steps }) => (steps.length < MOST_STEPS ? { steps: [...steps, step] } : {}));
    }
    change(id, () => ({ state: "done" }));
  } catch (error) {
    change(id, () => (abort.signal.aborted ? { state: "aborted" } : { state: "failed", error }));
  }
  aborts.delete(id);
}

export function abort(id: number): void {
  aborts.get(id)?.abort();
}

export function forget(id: number): void {
  abort(id);
  runs.set(runs.get().filter((run) => run.id !== id));
}

/** All that is wrong, each once. */
export const problemsOf = (run: Run): readonly string[] => [...new Set(run.steps.flatMap((step) => step.problems))];

/** The message that a run sent, for the trace. */
export const messageOf = (run: Run): string => run.steps.find((step) => step.facts.queue_id)?.facts.queue_id ?? "";

/** "smtp example.org 587", as one says it. */
export const askedOf = (run: Run): string =>
  [run.tool, ...Object.values(run.typed).filter((value) => value !== "")].join(" ");

/** To send to somebody. */
export function asText(run: Run): string {
  const lines = run.steps.map((step) => `${step.seconds.toFixed(3).padStart(8)}  ${step.text}`);
  const problems = problemsOf(run).map((problem) => `! ${problem}`);
  return [
    `${askedOf(run)}, ${run.at.toISOString()}`,
    "",
    ...lines,
    ...(problems.length ? ["", ...problems] : []),
    "",
  ].join("\n");
}
