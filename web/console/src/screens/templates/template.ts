/** What the server says of templates of users. */
export interface TemplateRow {
  readonly template: string;
  readonly description?: string;
  readonly offered_to?: readonly string[];
  readonly groups?: readonly string[];
  readonly rights?: string;
  readonly quota?: number | string;
  readonly [field: string]: unknown;
}

export const idOf = (row: TemplateRow): string => row.template;

export const domainOf = (name: string): string => name.slice(name.lastIndexOf("@") + 1);
