/** The guide's markdown as a tree: what docs/guide uses of it, and nothing else. HTML is text like any other.
 *
 * Blocks are paragraphs, headings, lists (also within items), tables, and code: fenced, or indented by four. In a line
 * there are code, bold, italics and links.
 */

export type Inline =
  | string
  | { readonly code: string }
  | { readonly bold: readonly Inline[] }
  | { readonly italic: readonly Inline[] }
  | { readonly link: string; readonly text: readonly Inline[] };

export type Block =
  | { readonly kind: "heading"; readonly level: number; readonly id: string; readonly text: readonly Inline[] }
  | { readonly kind: "paragraph"; readonly text: readonly Inline[] }
  | { readonly kind: "list"; readonly ordered: boolean; readonly items: readonly (readonly Block[])[] }
  | { readonly kind: "code"; readonly text: string }
  | { readonly kind: "table"; readonly head: readonly Cell[]; readonly rows: readonly (readonly Cell[])[] };

type Cell = readonly Inline[];

const BULLET = /^[-*] +/;
const NUMBER = /^\d{1,3}\. +/;
const MARK = /^(?:[-*]|\d{1,3}\.) +/;
const FENCE = /^```/;
const HEADING = /^(#{1,6}) +(.*?)#*$/;
const TABLE = /^\|.*\|$/;
const RULE = /^\|(?: *:?-+:? *\|)+$/;

/** All blocks of a page. */
export function parse(source: string): Block[] {
  return blocks(source.replaceAll("\r\n", "\n").split("\n"), new Map());
}

function blocks(lines: readonly string[], ids: Map<string, number>): Block[] {
  const made: Block[] = [];
  let at = 0;
  const line = () => lines[at] ?? "";
  const take = (wanted: (text: string) => boolean): string[] => {
    const taken: string[] = [];
    while (at < lines.length && wanted(line())) taken.push(lines[at++] ?? "");
    return taken;
  };
  while (at < lines.length) {
    const now = line();
    const heading = HEADING.exec(now);
    if (!now.trim()) {
      at++;
    } else if (FENCE.test(now)) {
      at++;
      const text = take((each) => !FENCE.test(each)).join("\n");
      at++;
      made.push({ kind: "code", text });
    } else if (heading) {
      at++;
      const text = inline((heading[2] ?? "").trim());
      made.push({ kind: "heading", level: (heading[1] ?? "").length, id: unique(slug(plain(text)), ids), text });
    } else if (now.startsWith("    ")) {
      const text = take((each) => each.startsWith("    ") || !each.trim());
      made.push({
        kind: "code",
        text: text
          .map((each) => each.slice(4))
          .join("\n")
          .trimEnd(),
      });
    } else if (TABLE.test(now) && RULE.test(lines[at + 1] ?? "")) {
      const [head = "", , ...rows] = take((each) => TABLE.test(each));
      made.push({ kind: "table", head: cells(head), rows: rows.map(cells) });
    } else if (MARK.test(now)) {
      const mark = BULLET.test(now) ? BULLET : NUMBER;
      // What is neither indented nor empty is a line that was wrapped without it.
      const within = (each: string) => mark.test(each) || each.startsWith(" ");
      const wrapped = (each: string) =>
        each.trim() !== "" && !MARK.test(each) && !HEADING.test(each) && !TABLE.test(each);
      const goesOn = () => within(lines.slice(at).find((each) => each.trim() !== "") ?? "");
      const taken = take((each) => within(each) || (each.trim() ? wrapped(each) : goesOn()));
      made.push(list(taken, mark, ids));
    } else {
      const text = take((each) => each.trim() !== "" && !FENCE.test(each) && !HEADING.test(each) && !MARK.test(each));
      made.push({ kind: "paragraph", text: inline(text.map((each) => each.trim()).join(" ")) });
    }
  }
  return made;
}

/** An item goes on for as long as its lines are indented, or are a paragraph that was wrapped without it. */
function list(lines: readonly string[], sign: RegExp, ids: Map<string, number>): Block {
  const items: (readonly Block[])[] = [];
  let item: string[] = [];
  let indent = 0;
  const end = () => {
    if (item.length) items.push(blocks(item, ids));
  };
  for (const text of lines) {
    const mark = sign.exec(text);
    if (mark) {
      end();
      indent = mark[0].length;
      item = [text.slice(indent)];
    } else {
      const lead = text.length - text.trimStart().length;
      item.push(text.slice(Math.min(lead, indent)));
    }
  }
  end();
  return { kind: "list", ordered: sign === NUMBER, items };
}

function cells(row: string): Cell[] {
  return row
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => inline(cell.trim().replaceAll("\\|", "|")));
}

export function inline(text: string): Inline[] {
  const made: Inline[] = [];
  let rest = text;
  while (rest) {
    const match =
      /(`+)(.+?)\1|\*\*(.+?)\*\*|\*([^\s*](?:[^*]*[^\s*])?)\*|\[((?:[^[\]`]|`[^`]*`)+)\]\(([^()\s]+)\)/.exec(rest);
    if (!match) {
      made.push(rest);
      break;
    }
    if (match.index) made.push(rest.slice(0, match.index));
    const [whole, , code, bold, italic, link, to] = match;
    if (code !== undefined) made.push({ code });
    else if (bold !== undefined) made.push({ bold: inline(bold) });
    else if (italic !== undefined) made.push({ italic: inline(italic) });
    else made.push({ link: to ?? "", text: inline(link ?? "") });
    rest = rest.slice(match.index + whole.length);
  }
  return made;
}

/** The words alone. */
export function plain(text: readonly Inline[]): string {
  return text
    .map((each) => {
      if (typeof each === "string") return each;
      if ("code" in each) return each.code;
      if ("bold" in each) return plain(each.bold);
      return plain("italic" in each ? each.italic : each.text);
    })
    .join("");
}

/** As GitHub makes anchors of headings. */
export const slug = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");

function unique(id: string, ids: Map<string, number>): string {
  const before = ids.get(id);
  ids.set(id, (before ?? 0) + 1);
  return before === undefined ? id : `${id}-${before}`;
}

/** The words of blocks, for searching and for tests. */
export function words(tree: readonly Block[]): string {
  return tree
    .map((block) => {
      if (block.kind === "code") return block.text;
      if (block.kind === "list") return block.items.map(words).join("\n");
      if (block.kind === "table") return [block.head, ...block.rows].map((row) => row.map(plain).join(" ")).join("\n");
      return plain(block.text);
    })
    .join("\n");
}
