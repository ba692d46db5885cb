import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { pagesIn, sectionsOf } from "../../../build/guide.ts";
import { type Block, inline, type Inline, parse, words } from "../../../build/markdown.ts";
import type { ConsoleSchema } from "@/api/schema.ts";
import { guideLink, guidePlace } from "@/app/guide.ts";
import { settingsOf } from "@/parts/form/fields.ts";
import { pieces, search } from "./search.ts";

const FOLDER = resolve("../../docs/guide");
const PAGES = pagesIn(FOLDER);
const anchors = (page: string) => [
  "",
  ...(PAGES.find((each) => each.id === page)?.tree ?? []).flatMap((block) =>
    block.kind === "heading" ? block.id : [],
  ),
];
const SCHEMA = JSON.parse(
  readFileSync(resolve("../../src/whimbrel/services/admin/console.json"), "utf8"),
) as ConsoleSchema;

test("each setting leads to a place of the guide that is there", () => {
  const lost = settingsOf(SCHEMA.settings).filter(({ path }) => {
    const place = guidePlace(path);
    return !place || !anchors(place.page).includes(place.at);
  });
  expect(lost.map((field) => field.path)).toEqual([]);
});

test("the longest beginning decides, and entries of lists are of their list", () => {
  expect(guidePlace("services/imap/listen")).toEqual({ page: "command-line", at: "services" });
  expect(guidePlace("services/console/listen")).toEqual({ page: "console", at: "ports" });
  expect(guidePlace("alerts/event[disk-low]/to")).toEqual({ page: "health", at: "alerts" });
  expect(guidePlace("smtp-server/greeting")).toEqual({ page: "receiving", at: "sessions" });
  expect(guidePlace("unheard/of")).toBeUndefined();
});

/** All links of a page, wherever they stand. */
function links(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  const own = (value as { link?: unknown }).link;
  return [...(typeof own === "string" ? [own] : []), ...Object.values(value).flatMap(links)];
}

test("links within the guide lead to pages and headings that are there", () => {
  const broken = PAGES.flatMap(({ id, tree }) =>
    links(tree).flatMap((link) => {
      const place = guideLink(link, id);
      return place && !anchors(place.page).includes(place.at) ? [`${id}: ${link}`] : [];
    }),
  );
  expect(broken).toEqual([]);
});

/** Letters and digits alone: markup goes, and nothing else may. */
const letters = (text: string) => text.replaceAll(/[^\p{L}\p{N}]/gu, "");

test.each(readdirSync(FOLDER).filter((name) => name.endsWith(".md")))("no word of %s is lost", (name) => {
  const source = readFileSync(resolve(FOLDER, name), "utf8");
  const bare = source
    .replaceAll(/^```.*$/gm, "")
    .replaceAll(/\]\([^()\s]+\)/g, "]")
    .replaceAll(/^\d+\. /gm, "");
  expect(letters(words(parse(source)))).toBe(letters(bare));
});

test("blocks are what they look like", () => {
  const tree = parse(
    [
      "# A page",
      "",
      "Two lines",
      "of words.",
      "",
      "    code <b>",
      "",
      "- one",
      "  goes on",
      "- two",
      "",
      "      inner code",
      "",
      "1. first",
      "",
      "   - nested",
      "",
      "| a | b |",
      "|---|---|",
      "| `x` \\| y | z |",
      "",
      "```toml",
      "# no heading",
      "```",
      "## A page",
    ].join("\n"),
  );
  expect(tree.map((block) => block.kind)).toEqual([
    "heading",
    "paragraph",
    "code",
    "list",
    "list",
    "table",
    "code",
    "heading",
  ]);
  expect(tree[1]).toEqual({ kind: "paragraph", text: ["Two lines of words."] });
  const kinds = (block: Block | undefined) =>
    block?.kind === "list" ? block.items.map((item) => item.map((each) => each.kind)) : [];
  expect(kinds(tree[3])).toEqual([["paragraph"], ["paragraph", "code"]]);
  expect(kinds(tree[4])).toEqual([["paragraph", "list"]]);
  expect(tree[5]).toMatchObject({ rows: [[[{ code: "x" }, " | y"], ["z"]]] });
  expect(tree[6]).toEqual({ kind: "code", text: "# no heading" });
  expect(tree[7]).toMatchObject({ id: "a-page-1" });
});

test("lines have code, bold, italics and links, and HTML is text", () => {
  const expected: Inline[] = [
    "a ",
    { code: "b*c*" },
    " ",
    { bold: ["d ", { code: "e" }] },
    " ",
    { italic: ["f"] },
    " ",
    { link: "health.md#alerts", text: [{ code: "g" }] },
    " <script>alert(1)</script> 2 * 3 * 4",
  ];
  expect(inline("a `b*c*` **d `e`** *f* [`g`](health.md#alerts) <script>alert(1)</script> 2 * 3 * 4")).toEqual(
    expected,
  );
});

test("a search finds sections by title before text, shows the words in their place, and all must be there", () => {
  const sections = PAGES.flatMap(sectionsOf);
  expect(search("quota", sections)[0]).toMatchObject({ page: "mailboxes", at: "quota" });
  const hit = search("zstd nonsense-word", sections);
  expect(hit).toEqual([]);
  const [first] = search("HMAC-SHA256", sections);
  expect(first).toMatchObject({ page: "health", at: "alerts" });
  expect(first?.text).toContain("HMAC-SHA256");
  expect(search("  ", sections)).toEqual([]);
});

test("what was sought is marked, whatever signs it has", () => {
  expect(pieces("Is a (b) c?", "(b)")).toEqual(["Is a ", "(b)", " c?"]);
  expect(pieces("none", "")).toEqual(["none"]);
});
