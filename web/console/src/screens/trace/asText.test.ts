import { i18n } from "@lingui/core";
import { beforeAll, expect, test } from "vitest";
import { forTheOther } from "./asText.ts";

beforeAll(() => i18n.loadAndActivate({ locale: "en", messages: {} }));

test("who is to look for a message that never came reads both addresses and the time searched", () => {
  const text = forTheOther(["bob@x.test", "anna@example.test"], "the last 24 hours");
  expect(text).toContain("between bob@x.test and anna@example.test");
  expect(text).toMatch(/the last 24 hours \(looked at \d{4}-\d\d-\d\dT.*Z\)/);
  expect(forTheOther(["bob@x.test"], "the last hour")).toContain("from or to bob@x.test");
});
