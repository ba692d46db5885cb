/** A unified difference read as lines with their numbers, for one column or two. */

export interface DiffLine {
  readonly kind: "same" | "removed" | "added";
  readonly text: string;
  /** Its number on the left; undefined where it is not there. */
  readonly before?: number;
  readonly after?: number;
  /** Which characters differ from the line that it stands for: from, to. */
  readonly marked?: readonly [number, number];
}

export interface Hunk {
  readonly lines: readonly DiffLine[];
}

export interface FileDiff {
  /** "mailserver.cfg (in use)" */
  readonly left: string;
  readonly right: string;
  readonly hunks: readonly Hunk[];
  readonly added: number;
  readonly removed: number;
}

export interface Parsed {
  readonly files: readonly FileDiff[];
  /** Lines that are of no difference. */
  readonly rest: readonly string[];
}

const HEAD = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

export function parseDiff(text: string): Parsed {
  const files: FileDiff[] = [];
  const rest: string[] = [];
  let file: { left: string; right: string; hunks: Hunk[]; added: number; removed: number } | null = null;
  let lines: DiffLine[] | null = null;
  let free = false;
  let before = 0;
  let after = 0;
  // How many lines the hunk still has: a line of it may begin with anything, "--- " too.
  let left = 0;
  let right = 0;
  const all = text.split("\n");
  for (const [at, line] of all.entries()) {
    const head = HEAD.exec(line);
    if (lines && file && (left > 0 || right > 0)) {
      const [sign, content] = [line[0], line.slice(1)];
      if (sign === "-" && left > 0) {
        lines.push({ kind: "removed", text: content, before: before++ });
        left -= 1;
        file.removed += 1;
        continue;
      }
      if (sign === "+" && right > 0) {
        lines.push({ kind: "added", text: content, after: after++ });
        right -= 1;
        file.added += 1;
        continue;
      }
      if (sign === " " || line === "") {
        lines.push({ kind: "same", text: content, before: before++, after: after++ });
        left -= 1;
        right -= 1;
        continue;
      }
    }
    const isHead = line.startsWith("--- ") && all[at + 1]?.startsWith("+++ ");
    // What is told record by record has no numbers of lines, and no heads of hunks.
    if (file && free && !head && !isHead && /^[-+ ]/.test(line) && !line.startsWith("+++ ")) {
      if (!lines) file.hunks.push({ lines: (lines = []) });
      const kind = line[0] === "-" ? "removed" : line[0] === "+" ? "added" : "same";
      lines.push({ kind, text: line.slice(1) });
      if (kind !== "same") file[kind] += 1;
      continue;
    }
    if (line.startsWith("\\")) continue; // "\ No newline at end of file"
    if (head && file) {
      free = false;
      lines = [];
      file.hunks.push({ lines });
      before = Number(head[1]);
      after = Number(head[3]);
      left = Number(head[2] ?? 1);
      right = Number(head[4] ?? 1);
    } else if (isHead) {
      file = {
        left: line.slice(4).trim(),
        right: (all[at + 1] ?? "").slice(4).trim(),
        hunks: [],
        added: 0,
        removed: 0,
      };
      files.push(file);
      free = true;
      lines = null;
    } else if (!(line.startsWith("+++ ") && all[at - 1]?.startsWith("--- ")) && line.trim()) {
      rest.push(line);
    }
  }
  return {
    files: files.map((each) => ({ ...each, hunks: each.hunks.map(({ lines: own }) => ({ lines: paired(own) })) })),
    rest,
  };
}

/** Lines that were replaced one by one show which of their characters differ. */
function paired(lines: readonly DiffLine[]): DiffLine[] {
  const made = [...lines];
  for (const run of runs(lines)) {
    if (run.removed.length !== run.added.length) continue;
    for (const [at, from] of run.removed.entries()) {
      const to = run.added[at] as number;
      const [old, now] = differing((lines[from] as DiffLine).text, (lines[to] as DiffLine).text);
      made[from] = { ...(lines[from] as DiffLine), marked: old };
      made[to] = { ...(lines[to] as DiffLine), marked: now };
    }
  }
  return made;
}

interface Run {
  removed: number[];
  added: number[];
}

/** Lines without an unchanged one between them, by their places. */
function runs(lines: readonly DiffLine[]): Run[] {
  const made: Run[] = [];
  let run: Run | null = null;
  for (const [at, line] of lines.entries()) {
    if (line.kind === "same") {
      run = null;
      continue;
    }
    if (!run) made.push((run = { removed: [], added: [] }));
    run[line.kind].push(at);
  }
  return made;
}

function differing(old: string, now: string): [[number, number], [number, number]] {
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start += 1;
  let end = 0;
  while (end < old.length - start && end < now.length - start && old.at(-1 - end) === now.at(-1 - end)) end += 1;
  return [
    [start, old.length - end],
    [start, now.length - end],
  ];
}

export interface Pair {
  readonly left?: DiffLine;
  readonly right?: DiffLine;
}

/** The lines of a hunk side by side: what was removed beside what came for it. */
export function sides(hunk: Hunk): Pair[] {
  const pairs: Pair[] = [];
  let removed: DiffLine[] = [];
  let added: DiffLine[] = [];
  const flush = () => {
    for (let at = 0; at < Math.max(removed.length, added.length); at++) {
      const [left, right] = [removed[at], added[at]];
      pairs.push({ ...(left ? { left } : {}), ...(right ? { right } : {}) });
    }
    removed = [];
    added = [];
  };
  for (const line of hunk.lines) {
    if (line.kind === "removed") removed.push(line);
    else if (line.kind === "added") added.push(line);
    else {
      flush();
      pairs.push({ left: line, right: line });
    }
  }
  flush();
  return pairs;
}
