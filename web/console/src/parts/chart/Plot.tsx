import { useElementSize } from "@mantine/hooks";
import { useEffect, useRef } from "react";
import uPlot, { type AlignedData, type Options } from "uplot";
import "uplot/dist/uPlot.min.css";
import { useStore } from "@/api/store.ts";
import { theme } from "@/app/preferences.ts";
import { shortTime } from "../base/Moment.tsx";
import type { ChartProps } from "./Chart.tsx";

const token = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const bars = uPlot.paths.bars?.({ size: [0.64, 24], align: 1 });

export default function Plot({ times, series, format, height = 180 }: ChartProps) {
  const { ref, width } = useElementSize();
  const chosen = useStore(theme);
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const names = series.map((each) => `${each.name} ${each.colour} ${each.usual}`).join("\n");

  useEffect(() => {
    if (!place.current || !width) return undefined;
    const axis = {
      stroke: token("muted"),
      grid: { stroke: token("line"), width: 1 },
      ticks: { show: false },
      font: "11px Inter",
    };
    const options: Options = {
      width,
      height,
      legend: { show: false },
      cursor: { points: { size: 6 }, drag: { x: false, y: false } },
      scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
      axes: [
        { ...axis, size: 26, values: (_, ticks) => ticks.map((tick) => shortTime(new Date(tick * 1000))) },
        {
          ...axis,
          size: (_, labels) => 16 + 6.5 * Math.max(3, ...(labels ?? []).map((label) => label.length)),
          values: (_, ticks) => ticks.map((tick) => format(tick)),
        },
      ],
      series: [
        {},
        ...series.map((each) => ({
          label: each.name,
          stroke: token(each.colour ?? (each.usual ? "text" : "accent")),
          width: 1.5,
          spanGaps: false,
          points: { show: false },
          ...(each.usual ? { dash: [3, 3] } : {}),
          ...(each.bars && bars ? { paths: bars, fill: `${token(each.colour ?? "accent")}8c`, width: 0 } : {}),
        })),
      ],
    };
    const made = new uPlot(
      options,
      [times, ...series.map((each) => each.values)] as unknown as AlignedData,
      place.current,
    );
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
    };
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- new values come by setData below
  }, [width, height, names, chosen]);

  useEffect(() => {
    plot.current?.setData([times, ...series.map((each) => each.values)] as unknown as AlignedData);
  }, [times, series]);

  return (
    <div ref={ref} style={{ height }}>
      <div ref={place} />
    </div>
  );
}
