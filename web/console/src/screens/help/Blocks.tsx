/** A page of the guide, drawn from its tree. */
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import type { Block, Inline } from "../../../build/markdown.ts";
import { useSchema } from "@/api/schema.ts";
import { me, reaches } from "@/api/session.ts";
import { useStore } from "@/api/store.ts";
import { guideLink, toGuide } from "@/app/guide.ts";
import { settingsOf } from "@/parts/form/fields.ts";
import { pageOf, pathOf } from "@/screens/settings/pages.ts";

/** Ids of the page itself must not meet those of headings. */
export const headingId = (id: string) => `guide-${id}`;

interface Context {
  readonly page: string;
  readonly at: string;
  readonly settings: ReadonlySet<string>;
}

export function Blocks({ blocks, page, at }: { blocks: readonly Block[]; page: string; at: string }) {
  const { data } = useSchema();
  const may = reaches(useStore(me), "server-read");
  const settings = useMemo(
    () => new Set(data && may ? settingsOf(data.settings).map((field) => field.path) : []),
    [data, may],
  );
  return <Some blocks={blocks} context={{ page, at, settings }} />;
}

/* oxlint-disable react/no-array-index-key -- a page that was built never changes */
function Some({ blocks, context }: { blocks: readonly Block[]; context: Context }) {
  return blocks.map((block, key) => <One key={key} block={block} context={context} />);
}

function One({ block, context }: { block: Block; context: Context }) {
  const words = (text: readonly Inline[]) => <Words text={text} context={context} />;
  if (block.kind === "heading") {
    // The screen has the h1.
    const Heading = block.level <= 1 ? "h2" : "h3";
    return (
      <Heading id={headingId(block.id)} data-level={block.level} data-here={block.id === context.at || undefined}>
        {words(block.text)}
      </Heading>
    );
  }
  if (block.kind === "paragraph") return <p>{words(block.text)}</p>;
  if (block.kind === "code") {
    return (
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
      <pre tabIndex={0}>
        <code>{block.text}</code>
      </pre>
    );
  }
  if (block.kind === "list") {
    const List = block.ordered ? "ol" : "ul";
    return (
      <List>
        {block.items.map((item, key) => (
          <li key={key}>
            <Some blocks={item} context={context} />
          </li>
        ))}
      </List>
    );
  }
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
    <div role="region" aria-label={block.head.map((cell) => cell.join("")).join(", ")} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {block.head.map((cell, key) => (
              <th key={key} scope="col">
                {words(cell)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {block.rows.map((row, key) => (
            <tr key={key}>
              {row.map((cell, column) => (
                <td key={column}>{words(cell)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Words({ text, context }: { text: readonly Inline[]; context: Context }) {
  return text.map((each, key) => {
    if (typeof each === "string") return each;
    if ("code" in each) return <Code key={key} text={each.code} context={context} />;
    if ("bold" in each) {
      return (
        <b key={key}>
          <Words text={each.bold} context={context} />
        </b>
      );
    }
    if ("italic" in each) {
      return (
        <i key={key}>
          <Words text={each.italic} context={context} />
        </i>
      );
    }
    const inner = <Words text={each.text} context={context} />;
    const place = guideLink(each.link, context.page);
    if (place) {
      return (
        <Link key={key} to="/help" search={toGuide(place) as never} className="link">
          {inner}
        </Link>
      );
    }
    // What lies beside the guide in the sources is not in the console.
    if (!each.link.startsWith("https://")) return <span key={key}>{inner}</span>;
    return (
      <a key={key} href={each.link} className="link" target="_blank" rel="noopener noreferrer">
        {inner}
      </a>
    );
  });
}

/** The name of a setting leads to it. */
function Code({ text, context }: { text: string; context: Context }) {
  const code = <code>{text}</code>;
  if (!context.settings.has(text)) return code;
  return (
    <Link to={pathOf(pageOf(text))} search={{ setting: text } as never} className="link">
      {code}
    </Link>
  );
}
