import { describe, expect, test } from "vitest";
import { compared, soFar, today } from "@/screens/dashboard/today.ts";
import { measured, rate, trimmed, usual } from "./series.ts";

const at = (minute: number) => `2026-11-30T10:${String(minute).padStart(2, "0")}:00Z`;

describe("series", () => {
  const points = [
    { time: at(2), name: "b", value: 4 },
    { time: at(0), name: "a", value: null },
    { time: at(2), name: "a", value: 6 },
  ];

  test("share their times; what is not known stays unknown", () => {
    const { times, step, values } = measured(points, ["a", "b"]);
    expect(times).toHaveLength(2);
    expect(step).toBe(120);
    expect(values).toEqual({ a: [null, 6], b: [null, 4] });
  });

  test("counts of steps of any length are told for the same time", () => {
    expect(rate([null, 6], 120, 60)).toEqual([null, 3]);
  });

  test("begin where something was measured", () => {
    const long = Array.from({ length: 20 }, (_, minute) => ({
      time: at(minute),
      name: "a",
      value: minute < 10 ? null : 1,
    }));
    expect(trimmed(measured(long, ["a"])).times).toHaveLength(10);
    expect(trimmed(measured([], ["a"])).times).toHaveLength(0);
  });
});

describe("what is usual", () => {
  const monday = new Date(2026, 10, 30, 14, 30);
  const hour = (daysAgo: number, hours: number) => new Date(2026, 10, 30 - daysAgo, hours).toISOString();
  const month = measured(
    [
      { time: hour(14, 9), name: "in", value: 10 },
      { time: hour(7, 9), name: "in", value: 20 },
      { time: hour(1, 9), name: "in", value: 500 },
      { time: hour(0, 9), name: "in", value: 900 },
      { time: hour(7, 14), name: "in", value: 8 },
    ],
    ["in"],
  );

  test("is the mean of the same day of other weeks", () => {
    expect(usual(month, "in", monday)[9]).toBe(15);
    expect(usual(month, "in", monday)[3]).toBeNull();
  });

  test("of a day that is not over counts the hours that were", () => {
    expect(soFar(usual(month, "in", monday), monday)).toBe(15 + 4);
    expect(soFar([null], monday)).toBeNull();
  });

  test("today has its hours, none of yesterday's", () => {
    const { values } = today(month, "in", monday);
    expect(values[9]).toBe(900);
    expect(values.filter((value) => value !== null)).toHaveLength(1);
  });

  test("small numbers are compared without percent", () => {
    const percent = (value: number) => `${Math.round(value * 100)} %`;
    expect(compared(14, 9, percent)).toBe("+5");
    expect(compared(110, 100, percent)).toBe("10 %");
    expect(compared(3, null, percent)).toBe("–");
  });
});
