/** What the server says of aliases. */
export interface AliasRow {
  readonly alias: string;
  readonly to: readonly string[];
  readonly description?: string;
  readonly [field: string]: unknown;
}

export const idOf = (row: AliasRow): string => row.alias;

/** What an alias takes: one name, all names of a pattern, or every name of its domain. */
export function kindOf(alias: string): "name" | "pattern" | "everything" {
  const local = alias.slice(0, alias.lastIndexOf("@"));
  return local === "*" ? "everything" : /[*?]/.test(local) ? "pattern" : "name";
}
