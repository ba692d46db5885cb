// Texts of the console. Without an argument: takes them out of the sources into src/texts/*.po. With --check: fails if
// that was not done, or if a language lacks one.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { getCatalogs } from "@lingui/cli/api";
import { getConfig } from "@lingui/conf";

const check = process.argv.includes("--check");
if (!check) {
  const lingui = fileURLToPath(new URL("../node_modules/.bin/lingui", import.meta.url));
  execFileSync(lingui, ["extract", "--clean"], { stdio: "inherit" });
  process.exit(0);
}

const config = getConfig();
const wrong = [];
for (const catalog of await getCatalogs(config)) {
  const inSources = await catalog.collect({ workersOptions: { poolSize: 0 } });
  if (!inSources) throw new Error("the sources could not be read");
  for (const locale of config.locales) {
    const inFile = (await catalog.read(locale)) ?? {};
    const name = `src/texts/${locale}.po`;
    for (const [id, { message }] of Object.entries(inSources)) {
      if (!(id in inFile)) wrong.push(`${name} lacks "${message}": run \`npm run texts\``);
      else if (locale !== config.sourceLocale && !inFile[id].translation)
        wrong.push(`${name} does not translate "${message}"`);
    }
    for (const [id, { message }] of Object.entries(inFile)) {
      if (!(id in inSources)) wrong.push(`${name} has "${message}", which no source says: run \`npm run texts\``);
    }
    if (/^<{7}|^>{7}/m.test(readFileSync(name, "utf8"))) wrong.push(`${name} has marks of a merge`);
  }
}
if (wrong.length) {
  process.stderr.write(`${wrong.slice(0, 40).join("\n")}\n${wrong.length} faults in texts\n`);
  process.exit(1);
}
