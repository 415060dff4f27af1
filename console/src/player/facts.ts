// What is measured of a play, for the panel beside it.
import type { Tag } from "./flvtags";

export interface Facts {
  /** Behind the encoder, ms; null: not known yet. */
  delay: number | null;
  /** By a clock in the stream; else what is buffered alone, which is less than the truth. */
  exact: boolean;
  /** Ahead of the playhead, seconds. */
  buffer: number;
  dropped: number;
  frames: number;
  /** Shown in the last second. */
  fps: number;
  width: number;
  height: number;
  video: string;
  audio: string;
  /** kbit/s, the newest last, one each PERIOD_MS. */
  rates: number[];
  /** From the start of the play to its first picture or sound, ms; null before. */
  first: number | null;
  /** Seconds between the last two keyframes; null: not known. */
  gop: number | null;
  rate: number;
  stalls: number;
  jumps: number;
  reconnects: number;
}

export const NONE: Facts = {
  delay: null, exact: false, buffer: 0, dropped: 0, frames: 0, fps: 0, width: 0, height: 0, video: "", audio: "", rates: [], first: null, gop: null, rate: 1,
  stalls: 0, jumps: 0, reconnects: 0,
};

export const PERIOD_MS = 500;
const RATES_MAX = 120;

/** Counts bytes, and tells their rate over the last second. */
export class RateMeter {
  #bytes = 0;
  #periods: number[] = [];
  #since = performance.now();
  #turns = 0;
  readonly rates: number[] = [];

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** A period is over. */
  turn(): void {
    const now = performance.now();
    const passed = now - this.#since;
    if (passed <= 0) return;
    if (this.#turns > 0) this.#periods.push((this.#bytes * 8) / passed);
    if (this.#periods.length > 4) this.#periods.shift();
    this.#bytes = 0;
    this.#since = now;
    // The first period has the start block, which is no rate.
    if (this.#turns++ > 0) this.rates.push(this.#periods.reduce((sum, each) => sum + each, 0) / this.#periods.length);
    if (this.rates.length > RATES_MAX) this.rates.shift();
  }
}

/** The in-band clock `onLiveClock`: when the server took in the keyframe behind it. */
export class LiveClock {
  /** Of the tag, ms. */
  #time = 0;
  #ingest = 0;
  /** Time of the stream at position 0 of the player, ms. */
  base: number | null = null;

  get known(): boolean {
    return this.#ingest > 0;
  }

  take(tag: Tag, fields: unknown): void {
    const ingest = (fields as { ingestTime?: unknown } | null)?.ingestTime;
    if (typeof ingest !== "number") return;
    this.#ingest = ingest;
    this.#time = tag.time;
  }

  /** Time of the stream at *position* of the player, ms. */
  streamTime(position: number): number | null {
    return this.base === null ? null : this.base + position * 1000;
  }

  /** How old what is shown at *position* is by the clock of the server, ms; null: not known. */
  delay(position: number, serverNow: number): number | null {
    const time = this.streamTime(position);
    return this.known && time !== null ? serverNow - (this.#ingest + time - this.#time) : null;
  }
}
