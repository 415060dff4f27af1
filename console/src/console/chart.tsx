// Charts over time, drawn as SVG: one to read values from, and a small one for a row.

import type { RefObject } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { clock } from "./format";

export type Point = [time: number, value: number];

export interface Line {
  name: string;
  /** Class of its colour: `c1` to `c4`. */
  tone: string;
  points: Point[];
}

interface Props {
  title: string;
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

/** Which point of *points* is nearest to *time*. */
function nearest(points: Point[], time: number): Point | undefined {
  let best: Point | undefined;
  for (const point of points) {
    if (!best || Math.abs(point[0] - time) < Math.abs(best[0] - time)) best = point;
  }
  return best;
}

export function TimeChart({ title, lines, format, span: longest, least = 1, unit = 1 }: Props) {
  const [box, width] = useWidth();
  const [at, setAt] = useState<number | null>(null);
  const newest = Math.max(0, ...lines.map((line) => line.points[line.points.length - 1]?.[0] ?? 0));
  const oldest = Math.min(newest, ...lines.map((line) => line.points[0]?.[0] ?? newest));
  // A server that was just started fills the chart all the same.
  const span = Math.min(longest, Math.max(60_000, newest - oldest));
  const from = newest - span;
  const shown = useMemo(
    () => lines.map((line) => ({ ...line, points: line.points.filter(([time]) => time >= from) })),
    [lines, from],
  );
  const top = unit * niceTop(Math.max(least, ...shown.flatMap((line) => line.points.map((point) => point[1]))) / unit);
  const inner = width - PAD.left - PAD.right;
  const x = (time: number) => PAD.left + ((time - from) / span) * inner;
  const y = (value: number) => PAD.top + (1 - value / top) * (HEIGHT - PAD.top - PAD.bottom);
  const times = shown[0]?.points ?? [];
  const marked = at === null ? undefined : nearest(times, at);
  const now = shown.map((line) => {
    const value = marked ? nearest(line.points, marked[0]) : line.points[line.points.length - 1];
    return { name: line.name, tone: line.tone, value };
  });
  const spoken = `${title}. ${now.map((each) => `${each.name}: ${each.value ? format(each.value[1]) : "no value yet"}`).join(", ")}`;
  const move = (step: number) => {
    const index = marked ? times.indexOf(marked) : times.length - 1;
    setAt(times[Math.min(times.length - 1, Math.max(0, index + step))]?.[0] ?? null);
  };
  return (
    <figure class="trend card">
      <figcaption>
        <h3>{title}</h3>
        <span class="legend">
          {now.map((each) => (
            <span key={each.name} class={each.tone}>
              <i class="dot" />
              {lines.length > 1 && <span class="muted">{each.name}</span>} <b>{each.value ? format(each.value[1]) : "–"}</b>
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
            <g key={part}>
              <line class="grid" x1={PAD.left} x2={width - PAD.right} y1={y(top * part)} y2={y(top * part)} />
              {part > 0 && (
                <text class="tick" x={width - PAD.right} y={y(top * part) + 12} text-anchor="end">
                  {format(top * part)}
                </text>
              )}
            </g>
          ))}
          {shown.map((line) => (
            <Curve key={line.name} line={line} x={x} y={y} gap={Math.max(GAP_MS, span / 20)} filled={lines.length < 3} />
          ))}
          {newest > 0 && (
            <>
              <text class="tick" x={PAD.left} y={HEIGHT - 6}>
                {clock(marked ? marked[0] : from)}
              </text>
              <text class="tick" x={width - PAD.right} y={HEIGHT - 6} text-anchor="end">
                {clock(newest)}
              </text>
            </>
          )}
          {marked && (
            <g>
              <line class="cross" x1={x(marked[0])} x2={x(marked[0])} y1={PAD.top} y2={HEIGHT - PAD.bottom} />
              {now.map(
                (each) =>
                  each.value && <circle key={each.name} class={`spot ${each.tone}`} cx={x(each.value[0])} cy={y(each.value[1])} r="4" />,
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
  line: Line;
  x: (time: number) => number;
  y: (value: number) => number;
  /** A longer time without a point breaks the curve, ms. */
  gap: number;
  filled: boolean;
}

function Curve({ line, x, y, gap, filled }: CurveProps) {
  const parts: Point[][] = [];
  let before = Number.NEGATIVE_INFINITY;
  for (const point of line.points) {
    if (point[0] - before > gap) parts.push([]);
    parts[parts.length - 1]?.push(point);
    before = point[0];
  }
  return (
    <g class={line.tone}>
      {parts.map((part) => {
        const path = part.map(([time, value], index) => `${index ? "L" : "M"}${x(time).toFixed(1)} ${y(value).toFixed(1)}`).join("");
        const first = part[0];
        const last = part[part.length - 1];
        if (!first || !last) return null;
        return (
          <g key={first[0]}>
            {filled && <path class="area" d={`${path}L${x(last[0]).toFixed(1)} ${y(0)}L${x(first[0]).toFixed(1)} ${y(0)}Z`} />}
            <path class="curve" d={path} />
          </g>
        );
      })}
    </g>
  );
}

/** A curve without scales; the text beside it says the value. */
export function Spark({ points, tone = "c1", width = 120, height = 32 }: { points: Point[]; tone?: string; width?: number; height?: number }) {
  const first = points[0];
  const last = points[points.length - 1];
  if (!first || !last || points.length < 2) return <svg class="spark" width={width} height={height} aria-hidden="true" />;
  const top = Math.max(1, ...points.map((point) => point[1])) * 1.1;
  const span = Math.max(1, last[0] - first[0]);
  const line: Line = { name: "", tone, points };
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
      <Curve
        line={line}
        x={(time) => ((time - first[0]) / span) * width}
        y={(value) => height - 1 - (value / top) * (height - 3)}
        gap={span}
        filled
      />
    </svg>
  );
}
