/** The answers are a tree; the name of a field is the way to its value: `administrator.name`. */
import type { Field, Step } from "./api.ts";

export type Tree = { readonly [name: string]: unknown };

const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null && !Array.isArray(value);

/** What was answered; undefined: nothing. */
export function given(tree: Tree, name: string): unknown {
  let at: unknown = tree;
  for (const part of name.split(".")) {
    if (!isTree(at)) return undefined;
    at = at[part];
  }
  return at;
}

/** The tree with one answer more. */
export function put(tree: Tree, name: string, value: unknown): Tree {
  const [first = "", ...rest] = name.split(".");
  if (!rest.length) return { ...tree, [first]: value };
  const below = tree[first];
  return { ...tree, [first]: put(isTree(below) ? below : {}, rest.join("."), value) };
}

/** What was answered, else what is proposed. */
export const valueOf = (tree: Tree, field: Field): unknown => given(tree, field.name) ?? field.default ?? "";

/** Whether a field means anything with these answers. */
export function shown(field: Field, fields: readonly Field[], tree: Tree): boolean {
  if (field.rare) return false;
  const condition = field.shown_if;
  if (!condition) return true;
  const on = fields.find((each) => each.name === condition.name);
  return on !== undefined && String(valueOf(tree, on)) === condition.value;
}

/** With what was proposed and seen, and not changed: the server takes nothing for granted. */
export function complete(tree: Tree, steps: readonly Step[]): Tree {
  let whole = tree;
  for (const step of steps) {
    for (const field of step.fields) {
      const proposed = field.default;
      if (given(whole, field.name) !== undefined || proposed === null || proposed === "") continue;
      if (shown(field, step.fields, whole)) whole = put(whole, field.name, proposed);
    }
  }
  return whole;
}
