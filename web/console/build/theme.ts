/** Puts src/theme.js, a classic script, before the first paint: a module would come after it, and the page would flash
 * white for those who chose dark. The CSP allows no inline script, so it is a file with a hashed name. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Plugin } from "vite";

export function theme(file: string): Plugin {
  let name = "";
  return {
    name: "theme",
    apply: "build",
    generateBundle() {
      const source = readFileSync(file, "utf8");
      name = `assets/theme-${createHash("sha256").update(source).digest("base64url").slice(0, 8)}.js`;
      this.emitFile({ type: "asset", fileName: name, source });
    },
    transformIndexHtml: {
      order: "post",
      handler: () => [{ tag: "script", attrs: { src: `/${name}` }, injectTo: "head-prepend" }],
    },
  };
}
