import { expect, test } from "vitest";
import { octets, shortTime } from "./Moment.tsx";

const NOW = new Date(2026, 10, 30, 14, 22);

test.each([
  [new Date(2026, 10, 30, 9, 5), "09:05"],
  [new Date(2026, 10, 27, 17, 40), "Fri 17:40"],
  [new Date(2026, 8, 2, 8, 0), "2 Sept"],
  [new Date(2024, 8, 2, 8, 0), "2 Sept 2024"],
])("%s is told as %s", (at, text) => {
  expect(shortTime(at, NOW).replace(",", "")).toBe(text);
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1536, "1.5 KB"],
  [50 * 2 ** 20, "50 MB"],
  [1000 * 2 ** 20, "1.0 GB"],
])("%i octets are %s", (count, text) => {
  expect(octets(count)).toBe(text);
});
