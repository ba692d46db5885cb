import { mergeConfig } from "vite";
import { defineConfig } from "vitest/config";
import config from "./vite.config.ts";

export default mergeConfig(
  config,
  defineConfig({
    test: {
      environment: "happy-dom",
      include: ["src/**/*.test.{ts,tsx}"],
      setupFiles: ["src/testing/setup.ts"],
      pool: "threads",
      isolate: false,
      css: false,
      testTimeout: 120_000,
    },
  }),
);
