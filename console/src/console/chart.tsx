// Charts over time, drawn as SVG: one to read values from, and a small one for a row.

import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { clock } from "./format";

/** A line of a chart. Its values stand beside the times of the chart: an array of pairs costs five times the memory. */
export interface Line {
  name: string;
  /** Class of its colour: `c1` to `c4`. */
  tone: string;
  values: number[];
}

interface Props {
  title: string;
  /** Of the values of all lines, ms, the oldest first. */
  times: number[];
  lines: Line[];
  format: (value: number) => string;
  /** The time shown, ms, up to the newest point. */
  span: number;
  /** Least upper end of the scale. */
  least?: number;
  /** The scale ends at round numbers of so many. */
  unit?: number;
}

const GAP_MS = 30_000;
const HEIGHT = 168;
const PAD = { left: 8, right: 8, top: 10, bottom: 22 };

/** Rounds up to 1, 2, 2.5 or 5 times a power of ten. */
export function niceTop(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return (([1, 2, 2.5, 5, 10] as const).find((step) => step * power >= value) ?? 10) * power;
}

function useWidth(): [RefObject<HTMLDivElement | null>, number] {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(480);
  useEffect(() => {
    const at = box.current;
    if (!at) return undefined;
    const seen = new ResizeObserver(() => setWidth(Math.max(160, at.clientWidth)));
    seen.observe(at);
    return () => seen.disconnect();
  }, []);
  return [box, width];
}

/** Which of *times*, from index *first*, is nearest to *time*. */
function nearest(times: number[], first: number, time: number): number {
  let best = first;
  for (let index = first; index < times.length; index += 1) {
    if (Math.abs(times[index]! - time) < Math.abs(times[best]! - time)) best = index;
  }
  return best;
}

function most(values: number[], first: number, least: number): number {
  let found = least;
  for (let index = first; index < values.length; index += 1) found = Math.max(found, values[index]!);
  return found;
}

export function TimeChart({ title, times, lines, format, span: longest, least = 1, unit = 1 }: Props) {
  const [box, width] = useWidth();
  const [at, setAt] = useState<number | null>(null);
  const last = times.length - 1;
  const newest = times[last] ?? 0;
  // A server that was just started fills the chart all the same.
  const span = Math.min(longest, Math.max(60_000, newest - (times[0] ?? newest)));
  const from = newest - span;
  const first = Math.max(0, times.findIndex((time) => time >= from));
  const top = unit * niceTop(Math.max(...lines.map((line) => most(line.values, first, least))) / unit);
  const inner = width - PAD.left - PAD.right;
  const x = (time: number) => PAD.left + ((time - from) / span) * inner;
  const y = (value: number) => PAD.top + (1 - value / top) * (HEIGHT - PAD.top - PAD.bottom);
  const marked = at === null || last < 0 ? null : nearest(times, first, at);
  const now = lines.map((line) => ({ ...line, value: line.values[marked ?? last] }));
  const spoken = `${title}. ${now.map((each) => `${each.name}: ${each.value === undefined ? "no value yet" : format(each.value)}`).join(", ")}`;
  const move = (step: number) => {
    setAt(times[Math.min(last, Math.max(first, (marked ?? last) + step))] ?? null);
  };
  return (
    <figure class="trend card">
      <figcaption>
        <h3>{title}</h3>
        <span class="legend">
          {now.map((each) => (
            <span key={each.name} class={each.tone}>
              <i class="dot" />
              {lines.length > 1 && <span class="muted">{each.name}</span>} <b>{each.value === undefined ? "–" : format(each.value)}</b>
            </span>
          ))}
        </span>
      </figcaption>
      <div
        ref={box}
        class="plot"
        role="img"
        tabIndex={0}
        aria-label={spoken}
        onPointerMove={(event) => {
          const left = event.currentTarget.getBoundingClientRect().left;
          setAt(from + ((event.clientX - left - PAD.left) / inner) * span);
        }}
        onPointerLeave={() => setAt(null)}
        onBlur={() => setAt(null)}
        onKeyDown={(event) => {
          if (event.key === "ArrowLeft") move(-1);
          else if (event.key === "ArrowRight") move(1);
          else if (event.key === "Escape") setAt(null);
          else return;
          event.preventDefault();
        }}
      >
        <svg width={width} height={HEIGHT} aria-hidden="true">
          {[0, 0.5, 1].map((part) => (
            <line key={part} class="grid" x1={PAD.left} x2={width - PAD.right} y1={y(top * part)} y2={y(top * part)} />
          ))}
          {lines.map((line) => (
            <Curve key={line.name} times={times} line={line} first={first} x={x} y={y} gap={Math.max(GAP_MS, span / 20)} filled={lines.length < 3} />
          ))}
          {[0.5, 1].map((part) => (
            <text key={part} class="tick" x={width - PAD.right} y={y(top * part) + 12} text-anchor="end">
              {format(top * part)}
            </text>
          ))}
          {newest > 0 && (
            <>
              <text class="tick" x={PAD.left} y={HEIGHT - 6}>
                {clock(marked === null ? from : times[marked]!)}
              </text>
              <text class="tick" x={width - PAD.right} y={HEIGHT - 6} text-anchor="end">
                {clock(newest)}
              </text>
            </>
          )}
          {marked !== null && (
            <g>
              <line class="cross" x1={x(times[marked]!)} x2={x(times[marked]!)} y1={PAD.top} y2={HEIGHT - PAD.bottom} />
              {now.map(
                (each) => each.value !== undefined && <circle key={each.name} class={`spot ${each.tone}`} cx={x(times[marked]!)} cy={y(each.value)} r="4" />,
              )}
            </g>
          )}
        </svg>
        {newest === 0 && <p class="empty">The first sample comes within some seconds.</p>}
      </div>
    </figure>
  );
}

interface CurveProps {
  times: number[];
  line: Line;
  /** Index of the first value that is shown. */
  first: number;
  x: (time: number) => number;
  y: (value: number) => number;
  /** A longer time without a value breaks the curve, ms. */
  gap: number;
  filled: boolean;
}

function Curve({ times, line, first, x, y, gap, filled }: CurveProps) {
  const parts: { from: number; to: number; path: string[] }[] = [];
  let part = { from: 0, to: Number.NEGATIVE_INFINITY, path: [] as string[] };
  for (let index = first; index < line.values.length; index += 1) {
    const time = times[index]!;
    if (time - part.to > gap) {
      part = { from: time, to: time, path: [] };
      parts.push(part);
    }
    part.to = time;
    part.path.push(`${part.path.length ? "L" : "M"}${x(time).toFixed(1)} ${y(line.values[index]!).toFixed(1)}`);
  }
  return (
    <g class={line.tone}>
      {parts.map(({ from, to, path }, index) => {
        // One string without the parts that it was put together from.
        const drawn = path.join("");
        return (
          <g key={index}>
            {filled && <path class="area" d={`${drawn}L${x(to).toFixed(1)} ${y(0)}L${x(from).toFixed(1)} ${y(0)}Z`} />}
            <path class="curve" d={drawn} />
          </g>
        );
      })}
    </g>
  );
}

interface SparkProps {
  times: number[];
  values: number[];
  /** How many of them it shows at most. */
  newest?: number;
  tone?: string;
  width?: number;
  height?: number;
}

/** A curve without scales; the text beside it says the value. */
export function Spark({ times, values, newest = 120, tone = "c1", width = 120, height = 32 }: SparkProps) {
  const first = Math.max(0, values.length - newest);
  const begin = times[first] ?? 0;
  const span = Math.max(1, (times[times.length - 1] ?? 0) - begin);
  if (values.length < 2) return <svg class="spark" width={width} height={height} aria-hidden="true" />;
  const top = most(values, first, 1) * 1.1;
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
      <Curve
        times={times}
        line={{ name: "", tone, values }}
        first={first}
        x={(time) => ((time - begin) / span) * width}
        y={(value) => height - 1 - (value / top) * (height - 3)}
        gap={span}
        filled
      />
    </svg>
  );
}
