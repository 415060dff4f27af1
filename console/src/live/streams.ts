// What the server says of its live streams: `/players/streams.json`, asked again every few seconds.
import { effect, signal } from "@preact/signals";

export interface Video {
  codec: string;
  profile: string;
  level: string;
  width: number;
  height: number;
}

export interface Audio {
  codec: string;
  sample_rate: number;
  channel: number;
  profile: string;
}

export interface Output {
  /** flv, ts, aac, mp3 or hls. */
  container: string;
  /** On the port of the page. */
  path: string;
}

export interface LiveStream {
  app: string;
  stream: string;
  url: string;
  outputs: Output[];
  rtmp: string;
  video: Video | null;
  audio: Audio | null;
}

export interface Listing {
  server: string;
  now_ms: number;
  /** Off: the names of streams are not for all. */
  listed: boolean;
  console: boolean;
  streams: LiveStream[];
}

const PERIOD_MS = 3000;

/** What was said last; null before the first answer. */
export const listing = signal<Listing | null>(null);

/** Why the last question failed; empty where it was answered. */
export const failure = signal("");

/** How far the clock of the server is ahead of this one, ms; null: not known. */
export const clockAhead = signal<number | null>(null);

let nearest = Infinity;

/** Take the clock of the server from an answer that *took* so many ms: the one with the shortest way says most. */
export function tellClock(now: number, took: number): void {
  if (took >= nearest) return;
  nearest = took;
  clockAhead.value = now + took / 2 - Date.now();
}

async function ask(address: string): Promise<void> {
  const asked = performance.now();
  try {
    const answer = await fetch(address, { cache: "no-store" });
    if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
    const said = (await answer.json()) as Listing;
    const took = performance.now() - asked;
    tellClock(said.now_ms, took);
    listing.value = said;
    failure.value = "";
  } catch (error) {
    failure.value = error instanceof TypeError ? "the server does not answer" : String((error as Error).message);
  }
}

/**
 * Ask at once, then every few seconds while the page is visible. *address*: of the list, relative to the page. *query*: what the viewer brings,
 * such as a token: the rules of the server see it, and the paths in the list have it.
 */
export function follow(address: string, query: string): () => void {
  const whole = query ? `${address}?${query}` : address;
  let timer = 0;
  const turn = () => {
    clearTimeout(timer);
    const asked = document.visibilityState === "visible" ? ask(whole) : Promise.resolve();
    void asked.then(() => {
      timer = window.setTimeout(turn, PERIOD_MS);
    });
  };
  turn();
  document.addEventListener("visibilitychange", turn);
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", turn);
  };
}

/** Call *take* with the list once it is there. */
export function onceListed(take: (listing: Listing) => void): void {
  const stop = effect(() => {
    const found = listing.value;
    if (found) {
      queueMicrotask(() => stop());
      take(found);
    }
  });
}

/** The path of *stream* in a container; empty without. */
export function pathOf(stream: LiveStream, container: string): string {
  const paths = stream.outputs.filter((each) => each.container === container).map((each) => each.path);
  // A mount may have its ending left out; the whole path says what it is.
  return paths.find((path) => /\.\w+(\?|$)/.test(path)) ?? paths[0] ?? "";
}

/** As `H264 1280x720 · AAC 48 kHz`. */
export function describe(stream: LiveStream): string {
  const { video, audio } = stream;
  const parts = [
    video && `${video.codec}${video.width ? ` ${video.width}×${video.height}` : ""}`,
    audio && `${audio.codec}${audio.sample_rate ? ` ${audio.sample_rate / 1000} kHz` : ""}`,
  ];
  return parts.filter(Boolean).join(" · ") || "no tracks yet";
}
