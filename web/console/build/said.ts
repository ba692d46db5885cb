/** The catalogs of what the server says (src/texts/server/*.po), as modules: pairs of an English text and its
 * translation. Not Lingui's: `{name}` is all that stands for a value in them, and braces and quotes are text. */
import type { Plugin } from "vite";

export const isSaid = (file: string): boolean => /\/texts\/server\/\w+\.po$/.test(file);

export function said(): Plugin {
  return {
    name: "said",
    enforce: "pre",
    transform(code, id) {
      if (!isSaid(id.split("?")[0] ?? id)) return null;
      return { code: `export const messages = ${JSON.stringify(pairsOf(code))};`, map: null };
    },
  };
}

/** Of a catalog as `make docs` writes it: each text on a line of its own. */
export function pairsOf(catalog: string): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const [, text, translation] of catalog.matchAll(/^msgid (".*")\nmsgstr (".*")$/gm))
    if (text !== '""' && translation !== '""') pairs[read(text)] = read(translation);
  return pairs;
}

const read = (quoted = '""') => JSON.parse(quoted) as string;
