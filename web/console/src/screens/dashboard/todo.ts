/** When a server is new: charts of a few messages say nothing. */
import type { Totals } from "@/screens/statistics/series.ts";

const FEW = 10;

/** Messages that the server has ever taken. */
export const accepted = (totals: Totals): number =>
  totals.totals.find((each) => each.name === "messages-in")?.ever ?? 0;

export const isNew = (totals: Totals): boolean => accepted(totals) < FEW;
