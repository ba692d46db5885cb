// What a browser fetches, in kB gzipped: the shell (with English) at once, each screen when one goes there. Fails above
// the budgets of the design. Fonts are told but not counted: the text is readable before they come.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const SHELL = 240;
const SCREEN = 40;

const folder =
  process.env.WHIMBREL_CONSOLE ?? fileURLToPath(new URL("../../../src/whimbrel/web/console", import.meta.url));
const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
const size = (name) => gzipSync(readFileSync(join(folder, name)), { level: 9 }).length / 1000;

/** Files of a part and of all that it imports statically. */
function files(key, seen = new Set()) {
  if (seen.has(key)) return [];
  seen.add(key);
  const { file, css = [], imports = [] } = manifest[key];
  return [file, ...css, ...imports.flatMap((each) => files(each, seen))];
}

const sum = (names) => names.reduce((total, name) => total + size(name), 0);
const shell = new Set(files("index.html"));
const language = Object.keys(manifest).find((key) => key.endsWith("texts/en.po"));
for (const name of files(language)) shell.add(name);
for (const name of readdirSync(join(folder, "assets"))) {
  if (/^early-.*\.js$/.test(name)) shell.add(`assets/${name}`);
}
const first = sum([...shell]) + size("index.html");
const lines = [["shell", first, SHELL]];
for (const key of Object.keys(manifest)) {
  if (!/screens\/[^/]+\/\w+Screen\.tsx$/.test(key)) continue;
  const own = [...new Set(files(key))].filter((name) => !shell.has(name));
  lines.push([key.split("/").at(-1).replace(".tsx", ""), sum(own), SCREEN]);
}
const fonts = Object.values(manifest)
  .filter((each) => /latin-wght.*woff2$/.test(each.file))
  .map((each) => each.file);
const late = lines.filter(([, kb, most]) => kb > most);
for (const [name, kb, most] of lines)
  process.stdout.write(`${name.padEnd(20)} ${kb.toFixed(1).padStart(7)} of ${most} kB\n`);
process.stdout.write(`${"(font)".padEnd(20)} ${sum(fonts).toFixed(1).padStart(7)} kB\n`);
if (late.length) {
  process.stderr.write(`too large: ${late.map(([name]) => name).join(", ")}\n`);
  process.exit(1);
}
