/** What was typed or pasted, and how well things match it. */

export type Pasted = "address" | "message-id" | "queue-id" | "ip" | null;

const IPV4 = /^\d{1,3}(\.\d{1,3}){3}$/;
const IPV6 = /^[0-9a-f]{0,4}(:[0-9a-f]{0,4}){2,7}$/i;
const ADDRESS = /^[^\s@<>]+@[^\s@<>]+$/;
const MESSAGE_ID = /^<[^\s<>]+@[^\s<>]+>$/;
const QUEUE_ID = /^[0-9a-f]{8}-[0-9a-f]{8}$/i;

/** What somebody has pasted into the search, as far as it has a shape of its own. */
export function recognise(text: string): Pasted {
  const word = text.trim();
  if (MESSAGE_ID.test(word)) return "message-id";
  if (ADDRESS.test(word)) return "address";
  if (IPV4.test(word) || IPV6.test(word)) return "ip";
  if (QUEUE_ID.test(word)) return "queue-id";
  return null;
}

/** The first address, Message-ID or IP in something long, such as a whole bounce; else the text itself. */
export function gist(text: string): string {
  if (text.length < 120 && !text.includes("\n")) return text.trim();
  const found =
    /<[^\s<>]+@[^\s<>]+>/.exec(/^message-id:\s*(<[^>]+>)/im.exec(text)?.[1] ?? "") ??
    /[^\s<>@;:,"']+@[^\s<>@;:,"']+/.exec(text) ??
    /\b\d{1,3}(?:\.\d{1,3}){3}\b/.exec(text);
  return found?.[0] ?? text.trim().slice(0, 120);
}

const folded = (text: string) =>
  text
    .toLocaleLowerCase()
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "");

/** How well `words` are found in a title and the texts beside it; 0: not all of them are. */
export function score(words: string, title: string, ...others: string[]): number {
  const head = folded(title);
  const rest = folded(others.join(" "));
  let sum = 0;
  for (const word of folded(words).split(/\s+/).filter(Boolean)) {
    const at = head.indexOf(word);
    if (at === 0) sum += 8;
    else if (at > 0) sum += /[\s/-]/.test(head[at - 1] ?? "") ? 6 : 3;
    else if (rest.includes(word)) sum += 1;
    else return 0;
  }
  return sum;
}
