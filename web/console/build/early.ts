/** Puts src/early.js, a classic script, at the head of the page. It sets the theme before the first paint: a module would
 * come after it, and the page would flash white for those who chose dark. And it asks for what the first screen needs
 * beside the shell while the shell is still on its way: the texts, the screen, who is signed in. Each would else wait for
 * the one before. The CSP allows no inline script, so it is a file with a hashed name. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import type { Plugin, Rolldown } from "vite";

/** Where `early.js` has it: names of files by what is asked for. */
const TABLE = "__PARTS__";

export function early(file: string, folder: string): Plugin {
  let name = "";
  return {
    name: "early",
    apply: "build",
    generateBundle(_options, bundle) {
      const source = readFileSync(file, "utf8").replace(TABLE, JSON.stringify(parts(bundle, folder)));
      name = `assets/early-${createHash("sha256").update(source).digest("base64url").slice(0, 8)}.js`;
      this.emitFile({ type: "asset", fileName: name, source });
    },
    transformIndexHtml: {
      order: "post",
      handler: () => [{ tag: "script", attrs: { src: `/${name}` }, injectTo: "head-prepend" }],
    },
  };
}

/** The files of each language and screen that the shell has not, by the word they are asked for by: `de`, `/queue`. */
function parts(bundle: Rolldown.OutputBundle, folder: string): Record<string, string[]> {
  const chunks = Object.values(bundle).filter((each) => each.type === "chunk");
  const shell = new Set(chunks.filter((each) => each.isEntry).flatMap((each) => files(each, bundle)));
  const made: Record<string, string[]> = {};
  for (const chunk of chunks) {
    const path = relative(folder, chunk.facadeModuleId ?? "");
    const word = /^texts\/(\w+)\.po$/.exec(path)?.[1] ?? /^screens\/(\w+)\/\w+Screen\.tsx$/.exec(path)?.[1];
    if (word)
      made[word] = files(chunk, bundle)
        .filter((each) => !shell.has(each))
        .map((each) => each.replace("assets/", ""));
  }
  return made;
}

/** A chunk's own file, its styles, and those of all that it imports statically. */
function files(chunk: Rolldown.OutputChunk, bundle: Rolldown.OutputBundle, seen = new Set<string>()): string[] {
  if (seen.has(chunk.fileName)) return [];
  seen.add(chunk.fileName);
  const styles = chunk.viteMetadata ? [...chunk.viteMetadata.importedCss] : [];
  const others = chunk.imports.map((each) => bundle[each]).filter((each) => each?.type === "chunk");
  return [chunk.fileName, ...styles, ...others.flatMap((each) => files(each, bundle, seen))];
}
