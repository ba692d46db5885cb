/** Attempts to sign in, as `user sign-ins` tells them; those that are alike become one line. */
export interface Attempt {
  readonly at: string;
  readonly outcome: "ok" | "failed" | "locked";
  readonly service: string;
  /** The user, or what else was typed. */
  readonly name: string;
  readonly address: string;
  readonly method: string;
  readonly reason: string;
  readonly cause: "" | "password" | "name" | "domain" | "disabled" | "locked" | "client" | "other";
}

export interface SignIns {
  readonly items: readonly Attempt[];
  readonly more: string;
  readonly locked: readonly { readonly address: string; readonly everybody: boolean }[];
  /** Seconds after which a lock ends by itself. */
  readonly window: number;
  readonly note: string;
}

/** The latest of a run of attempts that are alike, how many, and since when. */
export interface Run {
  readonly last: Attempt;
  readonly count: number;
  readonly first: string;
}

const alike = (a: Attempt, b: Attempt) =>
  a.outcome === b.outcome &&
  a.service === b.service &&
  a.name === b.name &&
  a.address === b.address &&
  a.cause === b.cause &&
  a.reason === b.reason;

/** `attempts`: the latest first. */
export function runs(attempts: readonly Attempt[]): readonly Run[] {
  const made: Run[] = [];
  for (const each of attempts) {
    const before = made.at(-1);
    if (before && alike(before.last, each))
      made[made.length - 1] = { ...before, count: before.count + 1, first: each.at };
    else made.push({ last: each, count: 1, first: each.at });
  }
  return made;
}

/** What failed since the last success of the user, the latest first: for the sentence above. */
export function recentFailures(attempts: readonly Attempt[], user: string): readonly Attempt[] {
  const own = attempts.filter((each) => each.name.toLowerCase() === user.toLowerCase());
  const success = own.findIndex((each) => each.outcome === "ok");
  return (success < 0 ? own : own.slice(0, success)).filter((each) => each.outcome !== "ok");
}
