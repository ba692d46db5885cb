import { expect, test } from "vitest";
import { kindOf } from "./alias.ts";

test("what an alias takes", () => {
  expect(kindOf("info@x.test")).toBe("name");
  expect(kindOf("shop-*@x.test")).toBe("pattern");
  expect(kindOf("room?@x.test")).toBe("pattern");
  expect(kindOf("*@x.test")).toBe("everything");
});
