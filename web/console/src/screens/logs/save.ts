/** The lines of a search as a text file. */
import { filterOf } from "./line.ts";
import { type LogQuery, type LogReader, server } from "./model.ts";

const A_PAGE = 5000;
/** More than this a browser should not hold; the files on the server are there for it. */
const MOST = 100_000;

export async function saveLog(
  name: string,
  query: LogQuery,
  each: (count: number) => void,
  signal: AbortSignal,
  reader: LogReader = server,
): Promise<{ cut: number }> {
  const lines: string[] = [];
  let after = "";
  do {
    const asked = { ...filterOf(query.search), log: query.logs, since: query.since, until: query.until, newest: true };
    // oxlint-disable-next-line no-await-in-loop -- each page begins where the one before ended
    const page = await reader.page({ ...asked, limit: A_PAGE, after }, signal);
    lines.push(...page.items.map((line) => line.text));
    after = page.more;
    each(lines.length);
  } while (after && lines.length < MOST);
  const text = `${lines.toReversed().join("\n")}\n`;
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${name}-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.log`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  return { cut: after ? lines.length : 0 };
}
