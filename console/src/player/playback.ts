// One stream in one media element: attempts, what they end with, and what is measured meanwhile.
import { signal } from "@preact/signals";
import { clockAhead } from "../live/streams";
import { Chase } from "./chase";
import { HAS_MSE, isDecodable, isPcm, isPlayable, nameOf, playsHls } from "./decodable";
import type { Ending } from "./ending";
import { type Facts, NONE, PERIOD_MS, RateMeter } from "./facts";
import { FlvPlay, sentenceOf } from "./flvplay";
import { HlsPlay } from "./hlsplay";
import { type Source, type Way, wayOf } from "./source";

/** `blocked`: the browser wants a gesture. `waiting`: for the next try. `over`: no further try. */
export type Phase = "idle" | "connecting" | "playing" | "stalled" | "paused" | "blocked" | "waiting" | "over";

/** What may work instead. */
export type Offer = "hls" | "sound" | "copy" | "retry";

const BACKOFF = [0.5, 1, 2, 4, 8, 15];
/** An attempt that has played for so long was good, ms: the next one begins without a wait. */
const GOOD_MS = 5000;
const STEP_MS = 150;
/** What a player that is paused, or that nobody sees, takes before it leaves the stream, seconds. */
const PAUSED_MAX = 15;

export class Playback {
  readonly phase = signal<Phase>("idle");
  /** Why it does not play, in a sentence; empty while it does. */
  readonly message = signal("");
  /** What of the stream is not heard or seen; empty: nothing is missing. */
  readonly lacking = signal("");
  readonly offers = signal<Offer[]>([]);
  /** Seconds until the next try. */
  readonly wait = signal(0);
  readonly facts = signal<Facts>(NONE);
  readonly way = signal<Way | null>(null);
  readonly muted = signal(true);
  readonly volume = signal(1);
  /** There is no picture. */
  readonly soundOnly = signal(false);

  #video: HTMLVideoElement;
  #source: Source | null = null;
  #wanted: Way | "" = "";
  #only = "";
  #without = "";
  #flv: FlvPlay | null = null;
  #hls: HlsPlay | null = null;
  #chase: Chase;
  #meter = new RateMeter();
  #failures = 0;
  #began = 0;
  #first: number | null = null;
  #played = 0;
  #reconnects = 0;
  #timers: number[] = [];
  #retry = 0;
  #frames = { count: 0, at: 0 };
  #paused = false;
  /** It has left the stream, and keeps the picture that stands. */
  #parked = false;
  #listeners = new AbortController();

  constructor(video: HTMLVideoElement) {
    this.#video = video;
    this.#chase = new Chase(video);
    video.muted = true;
    const { signal: gone } = this.#listeners;
    const on = (name: string, call: () => void) => video.addEventListener(name, call, { signal: gone });
    on("playing", () => this.#playing());
    on("waiting", () => this.#waiting());
    // A call before there is media is lost when the media comes.
    on("loadeddata", () => this.#run());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && !this.#paused && this.#unpark(), { signal: gone });
    on("seeking", () => this.#flv?.sound?.clear());
    on("pause", () => {
      // Browsers pause what nobody sees; the viewer's own pause is told apart.
      if (this.#paused && this.#isActive()) this.phase.value = "paused";
    });
  }

  /** Play *source*; *wanted*: how, empty for the best way. *only*: `audio`: without its picture. */
  play(source: Source, wanted: Way | "" = "", only = ""): void {
    this.stop();
    this.#source = source;
    this.#wanted = wanted;
    this.#only = only;
    this.#failures = this.#reconnects = 0;
    this.lacking.value = "";
    const audio = source.stream?.audio?.codec ?? "";
    this.#without = audio && !isDecodable(audio) ? audio : "";
    this.#paused = false;
    this.#meter = new RateMeter();
    this.#chase = new Chase(this.#video);
    this.#begin();
    this.#timers = [window.setInterval(() => this.#step(), STEP_MS), window.setInterval(() => this.#measure(), PERIOD_MS)];
  }

  /** Play no more. */
  stop(): void {
    this.#end();
    clearTimeout(this.#retry);
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    this.#source = null;
    this.phase.value = "idle";
    this.message.value = "";
    this.offers.value = [];
    this.facts.value = NONE;
  }

  /** The element is left for good. */
  close(): void {
    this.stop();
    this.#listeners.abort();
  }

  /** Try again now. */
  retry(): void {
    const source = this.#source;
    if (source) this.play(source, this.#wanted, this.#only);
  }

  /** The same stream in another way. */
  change(way: Way | ""): void {
    if (this.#source) this.play(this.#source, way, this.#only);
  }

  /** The sound alone of a stream whose picture does not play. */
  soundAlone(): void {
    if (this.#source) this.play(this.#source, this.#wanted, "audio");
  }

  get title(): string {
    return this.#source?.title ?? "";
  }

  get url(): string {
    const way = this.way.value;
    return (way && this.#source?.urls[way]) || "";
  }

  /** Pause, or go on at the live edge. */
  toggle(): void {
    if (this.phase.value === "paused" || this.phase.value === "blocked") {
      this.#paused = false;
      if (this.#unpark()) return;
      this.#run();
      this.live();
    } else if (this.phase.value === "waiting" || this.phase.value === "over") {
      this.retry();
    } else {
      this.#paused = true;
      this.#video.pause();
      this.phase.value = "paused";
    }
  }

  /** Go to the live edge. */
  live(): void {
    this.#chase.jump();
  }

  /** Sound on or off. A gesture of the viewer calls it. */
  mute(muted: boolean): void {
    this.muted.value = muted;
    this.#hear();
  }

  /** *volume*: from 0 to 1. */
  setVolume(volume: number): void {
    this.volume.value = Math.min(1, Math.max(0, volume));
    this.muted.value = this.volume.value === 0;
    this.#hear();
  }

  #hear(): void {
    const sound = this.#flv?.sound;
    if (sound) sound.volume = this.muted.value ? 0 : this.volume.value;
    this.#video.volume = this.volume.value;
    this.#video.muted = this.muted.value;
  }

  #isActive(): boolean {
    return !["idle", "waiting", "over"].includes(this.phase.value);
  }

  #begin(): void {
    const source = this.#source;
    if (!source) return;
    const way = wayOf(source, this.#wanted);
    this.way.value = way;
    this.message.value = "";
    this.offers.value = [];
    this.soundOnly.value = this.#only === "audio" || (source.stream !== null && source.stream.video === null);
    if (!way) {
      this.#fail("This browser plays none of the outputs of this stream: it has neither Media Source Extensions nor HLS.", ["copy"]);
      return;
    }
    const codec = source.stream?.video?.codec;
    if (way !== "hls" && codec && !this.#only && !isDecodable(codec)) {
      this.#refuse(codec);
      return;
    }
    this.phase.value = "connecting";
    this.#parked = false;
    this.#began = performance.now();
    this.#first = null;
    this.#played = 0;
    const url = source.urls[way]!;
    if (way === "hls") {
      this.#hls = new HlsPlay(this.#video, url, this.#meter, (ending) => this.#over(ending));
      void this.#hls.start();
    } else {
      const whole = this.#only ? `${url}${url.includes("?") ? "&" : "?"}only=${this.#only}` : url;
      this.#flv = new FlvPlay(this.#video, { url: whole, without: this.#without }, this.#meter, {
        ended: (ending) => this.#over(ending),
        undecodable: (codec) => this.#refuse(codec),
        unparsable: () => this.#fallBack(),
        soundless: (codec) => this.#restart(codec),
      });
      this.#flv.start().catch((error: Error) => this.#over({ why: `The player does not start: ${error.message}.`, again: true }));
    }
    // What a browser without MSE decodes cannot be asked so.
    if (HAS_MSE && this.#without && !isPcm(this.#without)) this.lacking.value = `${sentenceOf(this.#without)} The picture plays without sound.`;
    this.#hear();
    // Here, since it may be a gesture that led to it.
    this.#run();
  }

  #run(): void {
    if (this.#paused) return;
    this.#video.play().catch((error: Error) => {
      if (error.name === "NotAllowedError" && this.phase.value === "connecting") this.phase.value = "blocked";
    });
  }

  /** End the attempt. */
  #end(): void {
    this.#flv?.close();
    this.#hls?.close();
    this.#flv = this.#hls = null;
    this.#video.playbackRate = 1;
  }

  /** The sound needs another treatment. */
  #restart(codec: string): void {
    if (!this.#source) return;
    this.#end();
    this.#without = codec;
    this.#begin();
  }

  /** Give up for a *codec* that the browser does not decode, and say what works. */
  #refuse(codec: string): void {
    const source = this.#source;
    if (!source) return;
    const offers: Offer[] = ["copy"];
    if (source.stream?.audio !== null) offers.unshift("sound");
    const hls = source.urls.hls && playsHls() && isPlayable(codec);
    if (hls) offers.unshift("hls");
    const rest = hls ? "The system's own player may play it by HLS." : "VLC or ffplay play it, and its sound plays here.";
    this.#fail(`This browser does not decode ${nameOf(codec)}, the codec of this picture. ${rest}`, offers);
  }

  /** FLV cannot be read here: HLS has the same media in another form. */
  #fallBack(): void {
    const source = this.#source;
    if (!source) return;
    const codecs = [this.#flv?.video, this.#flv?.audio].filter(Boolean).map((codec) => nameOf(codec!)).join(" with ");
    if (!source.urls.hls) this.#fail(`The player does not read ${codecs || "this stream"} from FLV, and the stream has no HLS.`, ["copy"]);
    else if (this.#wanted) this.#fail(`The player does not read ${codecs || "this stream"} from FLV. HLS plays it.`, ["hls", "copy"]);
    else {
      this.#end();
      this.#wanted = "hls";
      this.#begin();
      this.lacking.value = `${codecs} plays by HLS, which is some seconds later.`;
    }
  }

  #fail(why: string, offers: Offer[]): void {
    this.#end();
    this.phase.value = "over";
    this.message.value = why;
    this.offers.value = offers;
  }

  /** An attempt is over: wait for the next one, or give up. */
  #over(ending: Ending): void {
    if (!this.#source) return;
    if (!ending.again) {
      this.#fail(ending.why, ["retry"]);
      return;
    }
    this.#end();
    const good = this.#played > 0 && performance.now() - this.#played > GOOD_MS;
    this.#failures = good ? 0 : this.#failures + 1;
    this.#reconnects += 1;
    const backoff = BACKOFF[Math.min(this.#failures, BACKOFF.length - 1)]!;
    // Players that end at one moment do not come back at one moment.
    const seconds = Math.max(backoff, Math.min(ending.after ?? 0, 30)) * (0.85 + Math.random() * 0.3);
    this.phase.value = "waiting";
    this.message.value = ending.why;
    this.offers.value = ["retry"];
    this.wait.value = Math.ceil(seconds);
    const due = performance.now() + seconds * 1000;
    clearTimeout(this.#retry);
    const turn = () => {
      const left = due - performance.now();
      this.wait.value = Math.ceil(left / 1000);
      if (left <= 0) this.#begin();
      else this.#retry = window.setTimeout(turn, Math.min(left, 1000));
    };
    this.#retry = window.setTimeout(turn, Math.min(seconds, 1) * 1000);
  }

  #playing(): void {
    if (!this.#isActive()) return;
    this.#first ??= performance.now() - this.#began;
    this.#played ||= performance.now();
    this.phase.value = "playing";
    this.message.value = "";
  }

  #waiting(): void {
    if (this.phase.value !== "playing") return;
    this.phase.value = "stalled";
    this.#chase.stalled();
  }

  /** Join the stream again; whether it had been left. */
  #unpark(): boolean {
    if (!this.#parked) return false;
    this.#end();
    this.#begin();
    return true;
  }

  #step(): void {
    if (!this.#isActive() || this.#parked) return;
    if (this.#flv && this.#video.paused && this.#chase.ahead > PAUSED_MAX) {
      this.#flv.park();
      this.#parked = true;
      return;
    }
    if (this.#flv && !this.#paused) this.#chase.step();
    this.#flv?.step();
    if (this.#flv?.bare) {
      this.soundOnly.value = true;
      if (this.phase.value === "connecting") this.#playing();
    }
  }

  #measure(): void {
    this.#meter.turn();
    const video = this.#video;
    const quality = video.getVideoPlaybackQuality?.();
    const frames = quality?.totalVideoFrames ?? 0;
    const now = performance.now();
    const fps = frames >= this.#frames.count ? ((frames - this.#frames.count) * 1000) / (now - this.#frames.at) : 0;
    this.#frames = { count: frames, at: now };
    const ahead = clockAhead.value;
    const clocked = ahead === null ? null : (this.#flv?.clock.delay(video.currentTime, Date.now() + ahead) ?? null);
    const estimate = this.#flv ? this.#chase.ahead * 1000 : (this.#hls?.delay ?? null);
    const before = this.facts.value;
    this.facts.value = {
      delay: clocked ?? estimate,
      exact: clocked !== null,
      buffer: this.#chase.ahead,
      dropped: quality?.droppedVideoFrames ?? 0,
      frames,
      fps: before.fps ? before.fps * 0.6 + fps * 0.4 : fps,
      width: video.videoWidth,
      height: video.videoHeight,
      video: this.#flv?.video || this.#hls?.video || "",
      audio: this.#flv?.audio || this.#hls?.audio || "",
      rates: [...this.#meter.rates],
      first: this.#first,
      gop: this.#flv?.gop ?? null,
      rate: video.playbackRate,
      stalls: this.#chase.stalls,
      jumps: this.#chase.jumps,
      reconnects: this.#reconnects,
    };
  }
}
