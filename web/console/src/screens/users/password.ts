/** Letters and digits that are not taken for each other when they are read aloud or typed from paper. */
const LETTERS = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const GROUPS = 4;
const LONG = 4;

/** 16 characters in four groups: 92 bits. */
export function generated(): string {
  const random = () => {
    // Numbers above the last whole multiple would favour the first letters.
    const most = 256 - (256 % LETTERS.length);
    for (;;) {
      const [byte = 0] = crypto.getRandomValues(new Uint8Array(1));
      if (byte < most) return LETTERS[byte % LETTERS.length] ?? "";
    }
  };
  return Array.from({ length: GROUPS }, () => Array.from({ length: LONG }, random).join("")).join("-");
}
