// The figures of the last hour: asked for whole once, then what is new of them.

import { useRef } from "preact/hooks";

import { type Trends, ask } from "./api";
import { usePoll } from "./poll";

const SPAN_MS = 3_600_000;

const NONE: Trends = {
  step_seconds: 5, time_ms: [], cpu: [], machine_cpu: [], memory_bytes: [], streams: [], publishers: [], players: [], connections: [],
  recv_kbps: [], send_kbps: [],
};

export function useTrends(): Trends {
  const kept = useRef(NONE);
  const { value } = usePoll(async () => {
    const before = kept.current;
    const after = before.time_ms[before.time_ms.length - 1] ?? 0;
    const { trends } = await ask<{ trends: Trends }>(`trends?after=${after}`);
    // Charts show percent of a core and of the machine.
    for (const key of ["cpu", "machine_cpu"] as const) trends[key] = trends[key].map((part) => part * 100);
    // A server that was started anew has a clock that goes on, and samples of its own.
    kept.current = joined(before, trends);
    return kept.current;
  }, 5);
  return value ?? NONE;
}

function joined(before: Trends, after: Trends): Trends {
  const newest = after.time_ms[after.time_ms.length - 1] ?? before.time_ms[before.time_ms.length - 1] ?? 0;
  const from = before.time_ms.findIndex((time) => time > newest - SPAN_MS);
  const both = { step_seconds: after.step_seconds } as Trends;
  for (const key of Object.keys(before) as (keyof Trends)[]) {
    if (key !== "step_seconds") both[key] = before[key].slice(Math.max(0, from)).concat(after[key]);
  }
  return both;
}
