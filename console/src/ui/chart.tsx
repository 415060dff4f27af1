// A small chart of the last values, that a screen reader gets as a sentence.
interface Props {
  /** The newest last. */
  values: number[];
  /** What it shows, as `Bit rate`. */
  label: string;
  /** A value as text. */
  text: (value: number) => string;
  /** Values of the whole width. */
  count?: number;
  height?: number;
}

const WIDTH = 300;

export function Chart({ values, label, text, count = 120, height = 64 }: Props) {
  const most = Math.max(...values, 0);
  const top = niceTop(most);
  const step = WIDTH / (count - 1);
  const from = WIDTH - (values.length - 1) * step;
  const points = values.map((value, at) => `${(from + at * step).toFixed(1)},${(height - 3 - (value / top) * (height - 8)).toFixed(1)}`);
  const last = values[values.length - 1] ?? 0;
  return (
    <figure class="chart">
      <figcaption>
        <span class="muted">{label}</span>
        <strong>{text(last)}</strong>
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${height}`} preserveAspectRatio="none" role="img" aria-label={`${label}: ${text(last)}, at most ${text(most)}`}>
        <line x1="0" x2={WIDTH} y1={height - 3} y2={height - 3} class="axis" />
        <line x1="0" x2={WIDTH} y1="5" y2="5" class="axis faint" />
        {points.length > 1 && (
          <>
            <polygon class="area" points={`${from.toFixed(1)},${height - 3} ${points.join(" ")} ${WIDTH},${height - 3}`} />
            <polyline class="line" points={points.join(" ")} vector-effect="non-scaling-stroke" />
          </>
        )}
      </svg>
      <span class="scale muted" aria-hidden="true">
        {text(top)}
      </span>
    </figure>
  );
}

/** The next of 1, 2, 5 times a power of ten above *most*. */
function niceTop(most: number): number {
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= most * 1.05) ?? 20 * power;
}
