import { describe, expect, it } from "vitest";
import type { Totals } from "@/screens/statistics/series.ts";
import { accepted, isNew } from "./todo.ts";

const totals = (ever?: number): Totals => ({
  started: "",
  reset: "",
  latency_p50: null,
  latency_p95: null,
  totals: ever === undefined ? [] : [{ name: "messages-in", start: 0, today: 0, ever, unit: "" }],
  now: [],
  senders: [],
  recipients: [],
});

describe("a new server", () => {
  it("is one that has taken hardly any mail, whenever it was started", () => {
    expect([undefined, 0, 9, 10, 5000].map((ever) => isNew(totals(ever)))).toEqual([true, true, true, false, false]);
    expect(accepted(totals(7))).toBe(7);
    expect(accepted(totals())).toBe(0);
  });
});
