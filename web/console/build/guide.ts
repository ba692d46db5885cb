/** The pages of docs/guide as modules: their table, a tree for each, and the words that a search looks through.
 *
 *     virtual:guide            pages with their headings, and how to fetch one
 *     virtual:guide/page/ID    the tree of one page
 *     virtual:guide/search     all sections as text
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";
import { type Block, parse, plain, words } from "./markdown.ts";

export interface GuideHeading {
  readonly id: string;
  readonly title: string;
}

export interface GuidePage {
  readonly id: string;
  readonly title: string;
  readonly headings: readonly GuideHeading[];
}

export interface GuideSection {
  readonly page: string;
  /** The id of its heading; empty: what stands before the first. */
  readonly at: string;
  readonly title: string;
  readonly text: string;
}

/** As one reads them; pages that are not named here follow by their names. */
const ORDER = [
  "first-steps",
  "console",
  "command-line",
  "administrators",
  "receiving",
  "sending",
  "mailboxes",
  "health",
  "logs",
  "statistics",
  "changes",
  "server",
];

export function pagesIn(folder: string): (GuidePage & { readonly tree: readonly Block[] })[] {
  const rank = (id: string) => (ORDER.includes(id) ? ORDER.indexOf(id) : ORDER.length);
  return readdirSync(folder)
    .filter((name) => name.endsWith(".md"))
    .map((name) => name.slice(0, -3))
    .toSorted((a, b) => rank(a) - rank(b) || a.localeCompare(b))
    .map((id) => {
      const tree = parse(readFileSync(join(folder, `${id}.md`), "utf8"));
      const [first, ...headings] = tree.flatMap((block) =>
        block.kind === "heading" && block.level <= 3 ? { id: block.id, title: plain(block.text) } : [],
      );
      return { id, title: first?.title ?? id, headings, tree };
    });
}

export function sectionsOf({ id, title, tree }: ReturnType<typeof pagesIn>[number]): GuideSection[] {
  const made: { page: string; at: string; title: string; blocks: Block[] }[] = [
    { page: id, at: "", title, blocks: [] },
  ];
  for (const [at, block] of tree.entries()) {
    if (block.kind === "heading" && block.level <= 3 && at > 0)
      made.push({ page: id, at: block.id, title: plain(block.text), blocks: [] });
    else if (at > 0) made.at(-1)?.blocks.push(block);
  }
  return made.map(({ blocks, ...rest }) => ({ ...rest, text: words(blocks).replace(/\s+/g, " ") }));
}

const NAME = "virtual:guide";

export function guide(folder: string): Plugin {
  const exported = (value: unknown) => `export default ${JSON.stringify(value)};`;
  return {
    name: "guide",
    resolveId: (id) => (id === NAME || id.startsWith(`${NAME}/`) ? `\0${id}` : null),
    load(id) {
      if (!id.startsWith(`\0${NAME}`)) return null;
      for (const name of readdirSync(folder)) this.addWatchFile(join(folder, name));
      const pages = pagesIn(folder);
      const part = id.slice(NAME.length + 2);
      if (part === "search") return exported(pages.flatMap(sectionsOf));
      if (part.startsWith("page/")) {
        const page = pages.find((each) => each.id === part.slice(5));
        if (!page) throw new Error(`${folder} has no page ${part}`);
        return exported(page.tree);
      }
      const table = pages.map(({ id: page, title, headings }) => ({ id: page, title, headings }));
      const loaders = pages.map((page) => `${JSON.stringify(page.id)}: () => import("${NAME}/page/${page.id}")`);
      return `export const PAGES = ${JSON.stringify(table)};\nexport const LOADERS = {${loaders.join(",\n")}};`;
    },
  };
}
