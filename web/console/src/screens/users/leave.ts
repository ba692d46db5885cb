/** What was chosen for a user who leaves, and the call that it makes. */
export interface Departure {
  readonly mail: "kept" | "to" | "refused";
  /** Addresses as they were typed. */
  readonly to: string;
  readonly text: string;
  readonly given: string;
  /** 2027-03-31, or nothing. */
  readonly deleted: string;
  readonly named: "stays" | "instead" | "out";
  readonly instead: string;
}

/** What is still to be said before it can be carried out. */
export function lacking(chosen: Departure): "to" | "text" | "instead" | "" {
  if (chosen.mail === "to" && !chosen.to.trim()) return "to";
  if (chosen.mail === "refused" && !chosen.text.trim()) return "text";
  return chosen.named === "instead" && !chosen.instead.trim() ? "instead" : "";
}

/** Parameters of `user leave`; what was typed for another choice counts no more. */
export function leaveArguments(address: string, chosen: Departure, addresses: (text: string) => string[]): object {
  const given = chosen.given.trim();
  return {
    name: address,
    ...(chosen.mail === "to" ? { forward_to: addresses(chosen.to) } : {}),
    ...(chosen.mail === "refused" ? { refuse: chosen.text.trim() } : {}),
    ...(given ? { give_to: given } : {}),
    ...(chosen.deleted ? { delete_on: chosen.deleted } : {}),
    ...(chosen.named === "instead" ? { instead: chosen.instead.trim() } : {}),
    ...(chosen.named === "out" ? { everywhere: true } : {}),
  };
}
