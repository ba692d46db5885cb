/** Keys of a domain, by the generations in which they were made. */
export interface DomainKey {
  readonly keys: string;
  readonly state: "prepared" | "signing" | "retired";
  readonly since: string | null;
  readonly algorithm: string;
  readonly published: "yes" | "no" | "other" | "unknown";
  readonly name: string;
  readonly record: string;
}

export interface Generation {
  readonly name: string;
  readonly state: DomainKey["state"];
  readonly since: string | null;
  readonly keys: readonly DomainKey[];
  /** All of its records are; what nobody answers is taken for published, so that a silent name server alarms nobody. */
  readonly published: boolean;
}

export function generationsOf(rows: readonly DomainKey[]): readonly Generation[] {
  return [...new Set(rows.map((row) => row.keys))].flatMap((name) => {
    const keys = rows.filter((row) => row.keys === name);
    const first = keys[0];
    if (!first) return [];
    const published = keys.every((key) => key.published === "yes" || key.published === "unknown");
    return [{ name, state: first.state, since: first.since, keys, published }];
  });
}
