import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { compressed } from "./build/compressed.ts";
import { guide } from "./build/guide.ts";
import { lingui } from "./build/lingui.ts";
import { early } from "./build/early.ts";
import { said } from "./build/said.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const out = process.env.WHIMBREL_CONSOLE ?? at("../../src/whimbrel/web/console");

export default defineConfig({
  plugins: [
    said(),
    lingui(),
    react(),
    early(at("src/early.js"), at("src")),
    guide(at("../../docs/guide")),
    compressed(),
  ],
  resolve: {
    alias: { "@": at("src"), "@shared": at("../shared") },
    dedupe: ["react", "react-dom"],
  },
  build: {
    target: "es2022",
    outDir: out,
    emptyOutDir: true,
    assetsInlineLimit: 0,
    manifest: "manifest.json",
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        // What nearly every screen has comes with the shell, in one file instead of ten small ones.
        codeSplitting: { groups: [{ name: "base", test: /src\/(?:parts\/base|app\/url|parts\/drawer)/ }] },
      },
    },
  },
});
