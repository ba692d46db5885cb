/** What the server says of groups. */
export interface GroupRow {
  readonly group: string;
  readonly members: readonly string[];
  readonly description?: string;
  readonly [field: string]: unknown;
}

export const idOf = (row: GroupRow): string => row.group;

/** Members whose address or name has this text in it. */
export function matching(members: readonly string[], text: string): readonly string[] {
  const word = text.trim().toLowerCase();
  return word ? members.filter((member) => member.toLowerCase().includes(word)) : members;
}
