// Numbers as people read them.

/** *kbps*: kbit/s. */
export function bitRate(kbps: number): string {
  return kbps >= 1000 ? `${(kbps / 1000).toFixed(kbps >= 10_000 ? 0 : 1)} Mbit/s` : `${Math.round(kbps)} kbit/s`;
}

/** *ms* as seconds, or milliseconds below one. */
export function span(ms: number): string {
  return Math.abs(ms) < 995 ? `${Math.round(ms / 10) * 10} ms` : `${(ms / 1000).toFixed(ms < 9950 ? 1 : 0)} s`;
}
