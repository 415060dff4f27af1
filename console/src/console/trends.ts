// The figures of the last hour: asked for whole once, then what is new of them.

import { useRef } from "preact/hooks";

import { type Trends, ask } from "./api";
import type { Point } from "./chart";
import { type Polled, usePoll } from "./poll";

const SPAN_MS = 3_600_000;

export function useTrends(): Polled<Trends> {
  const kept = useRef<Trends | null>(null);
  return usePoll(async () => {
    const before = kept.current;
    const after = before?.time_ms[before.time_ms.length - 1] ?? 0;
    const { trends } = await ask<{ trends: Trends }>(`trends?after=${after}`);
    // A server that was started anew has a clock that goes on, and samples of its own.
    kept.current = before ? joined(before, trends) : trends;
    return kept.current;
  }, 5);
}

function joined(before: Trends, after: Trends): Trends {
  const newest = after.time_ms[after.time_ms.length - 1] ?? before.time_ms[before.time_ms.length - 1] ?? 0;
  const from = before.time_ms.findIndex((time) => time > newest - SPAN_MS);
  const both = { step_seconds: after.step_seconds } as Trends;
  for (const key of Object.keys(before) as (keyof Trends)[]) {
    if (key !== "step_seconds") both[key] = [...before[key].slice(Math.max(0, from)), ...after[key]];
  }
  return both;
}

export function points(trends: Trends | null, key: Exclude<keyof Trends, "step_seconds">, times = 1): Point[] {
  return trends ? trends.time_ms.map((time, index) => [time, (trends[key][index] ?? 0) * times]) : [];
}
