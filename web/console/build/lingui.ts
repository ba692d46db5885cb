/** Macros and catalogs of Lingui for Vite: its own plugin needs a newer Node than we ask of people. */
// @ts-expect-error -- it has no types of its own
import { transformAsync } from "@babel/core";
import { createCompiledCatalog, getCatalogForFile, getCatalogs } from "@lingui/cli/api";
import { getConfig } from "@lingui/conf";
import { relative } from "node:path";
import type { Plugin } from "vite";
import { isSaid } from "./said.ts";

export function lingui(): Plugin {
  const config = getConfig();
  return {
    name: "lingui",
    enforce: "pre",
    async transform(code, id) {
      const file = id.split("?")[0] ?? id;
      if (isSaid(file)) return null;
      if (file.endsWith(".po")) return { code: await compiled(file, config), map: null };
      if (!/\.tsx?$/.test(file) || !/@lingui\/(core|react)\/macro/.test(code)) return null;
      const made = await transformAsync(code, {
        filename: file,
        babelrc: false,
        configFile: false,
        sourceMaps: true,
        plugins: ["@lingui/babel-plugin-lingui-macro"],
        parserOpts: { plugins: ["typescript", "jsx"] },
      });
      return made?.code ? { code: made.code, map: made.map ?? null } : null;
    },
  };
}

async function compiled(file: string, config: ReturnType<typeof getConfig>): Promise<string> {
  const found = getCatalogForFile(relative(config.rootDir ?? ".", file), await getCatalogs(config));
  if (!found) throw new Error(`${file} is no catalog of lingui.config.ts`);
  const { messages } = await found.catalog.getTranslations(found.locale, {
    fallbackLocales: {},
    sourceLocale: config.sourceLocale ?? "en",
  });
  const { source, errors } = createCompiledCatalog(found.locale, messages, { namespace: "es" });
  if (errors.length) throw new Error(errors.map((error) => `${file}: ${error.id}: ${error.error.message}`).join("\n"));
  return source;
}
