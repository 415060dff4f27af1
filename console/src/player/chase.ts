// Keeps a player near the live edge: a little faster while it is late, a jump where it is far behind, more patience after a stall.

/** Where it begins: what is buffered ahead, seconds. Sound comes in pieces of 70 ms at most, pictures every 40. */
const TARGET = 0.35;
const TARGET_MAX = 3;
/** What a stall adds, seconds. */
const STALLED = 0.35;
/** A time without a stall takes half of what stalls have added: a bad spell of minutes leaves no delay for the hour. */
const CALM_MS = 60_000;
/** Late by so much: play faster; seconds. */
const LATE = 0.2;
/** Late by so much: jump; seconds. */
const FAR = 4;
const FASTER = 1.07;

export class Chase {
  #target = TARGET;
  #calm = performance.now();
  #video: HTMLMediaElement;
  /** Jumps to the live edge, count. */
  jumps = 0;
  stalls = 0;

  constructor(video: HTMLMediaElement) {
    this.#video = video;
  }

  get target(): number {
    return this.#target;
  }

  /** Media ahead of the playhead, seconds. */
  get ahead(): number {
    const { buffered, currentTime } = this.#video;
    return buffered.length ? Math.max(0, buffered.end(buffered.length - 1) - currentTime) : 0;
  }

  /** It ran out of media. */
  stalled(): void {
    this.stalls += 1;
    this.#target = Math.min(this.#target + STALLED, TARGET_MAX);
    this.#calm = performance.now();
  }

  /** Look, a few times a second. Returns whether the playhead was moved. */
  step(): boolean {
    const video = this.#video;
    const { buffered } = video;
    if (!buffered.length || video.paused || video.seeking) return false;
    const now = performance.now();
    if (now - this.#calm > CALM_MS) {
      this.#target = TARGET + (this.#target - TARGET) / 2;
      this.#calm = now;
    }
    const begin = buffered.start(buffered.length - 1);
    const late = this.ahead - this.#target;
    if (late > FAR || video.currentTime < begin - 0.05) {
      this.jump();
      return true;
    }
    const faster = late > (video.playbackRate > 1 ? 0.03 : LATE);
    const rate = faster ? FASTER : 1;
    if (video.playbackRate !== rate) video.playbackRate = rate;
    return false;
  }

  /** Go to the live edge. */
  jump(): void {
    const { buffered } = this.#video;
    if (!buffered.length) return;
    const last = buffered.length - 1;
    this.#video.currentTime = Math.max(buffered.start(last), buffered.end(last) - this.#target);
    this.jumps += 1;
  }
}
