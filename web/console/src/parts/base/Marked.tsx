/** Texts of the server mark with backticks what is typed elsewhere. */
export function Marked({ text }: { text: string }) {
  // oxlint-disable-next-line react/no-array-index-key -- parts of one text
  return text.split("`").map((part, at) => (at % 2 ? <code key={at}>{part}</code> : part));
}
