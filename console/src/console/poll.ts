// Asking again and again, while the page is seen.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { type ApiError, locked } from "./api";

export interface Polled<Value> {
  value: Value | null;
  error: ApiError | null;
  /** Ask now. */
  again: () => void;
}

/**
 * What *load* returns, asked for anew each *seconds* while the page is seen and the API is open.
 * *key*: what it depends on; a change begins anew and forgets the value.
 */
export function usePoll<Value>(load: () => Promise<Value>, seconds: number, key = ""): Polled<Value> {
  const [state, setState] = useState<{ key: string; value: Value | null; error: ApiError | null }>({
    key,
    value: null,
    error: null,
  });
  const latest = useRef(load);
  latest.current = load;
  const kick = useRef<() => void>(() => undefined);
  useEffect(() => {
    let over = false;
    let timer = 0;
    let busy = false;
    let missed = false;
    const later = () => {
      clearTimeout(timer);
      if (!over && !document.hidden) {
        timer = window.setTimeout(run, seconds * 1000);
      }
    };
    const run = async () => {
      // What was asked before an action does not show it: ask once more.
      missed = busy;
      if (over || busy || locked.value) {
        later();
        return;
      }
      busy = true;
      try {
        const value = await latest.current();
        if (!over) setState({ key, value, error: null });
      } catch (error) {
        // The last value stays on the page: old figures with a note are more use than none.
        if (!over) setState((before) => ({ key, value: before.key === key ? before.value : null, error: error as ApiError }));
      }
      busy = false;
      if (missed) void run();
      else later();
    };
    const seen = () => {
      if (!document.hidden) void run();
    };
    kick.current = () => void run();
    const unlocked = locked.subscribe((shut) => {
      if (!shut) void run();
    });
    document.addEventListener("visibilitychange", seen);
    return () => {
      over = true;
      clearTimeout(timer);
      unlocked();
      document.removeEventListener("visibilitychange", seen);
    };
  }, [seconds, key]);
  const again = useCallback(() => kick.current(), []);
  return state.key === key ? { value: state.value, error: state.error, again } : { value: null, error: null, again };
}

/** The newest values of a figure that is polled, *most* at most; for small charts. */
export class Series {
  readonly times: number[] = [];
  readonly values: number[] = [];

  constructor(readonly most = 120) {}

  add(time: number, value: number): void {
    if (time <= (this.times[this.times.length - 1] ?? 0)) return;
    this.times.push(time);
    this.values.push(value);
    if (this.times.length > this.most) {
      this.times.shift();
      this.values.shift();
    }
  }
}

const NONE = new Series();

/** Series by key; those of keys that are gone are forgotten. */
export class SeriesMap {
  private series = new Map<string, Series>();

  update(values: Iterable<[string, number]>): void {
    const now = Date.now();
    const kept = new Map<string, Series>();
    for (const [key, value] of values) {
      const series = this.series.get(key) ?? new Series();
      series.add(now, value);
      kept.set(key, series);
    }
    this.series = kept;
  }

  of(key: string): Series {
    return this.series.get(key) ?? NONE;
  }
}
