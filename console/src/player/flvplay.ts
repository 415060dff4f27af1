// One attempt to play FLV: a connection, mpegts.js, and G.711 beside it.
import type Mpegts from "mpegts.js";
import { readAmf } from "./amf";
import { isDecodable, isPcm, isRead, nameOf } from "./decodable";
import type { Ending } from "./ending";
import { LiveClock, type RateMeter } from "./facts";
import { type Feed, openFeed } from "./feed";
import { AUDIO, FlvTags, SCRIPT, type Tag, VIDEO, readAudio, readVideo } from "./flvtags";
import { PcmSound } from "./pcm";
import { loadedOnce } from "./script";

type Module = typeof Mpegts;

/** Load mpegts.js; pages that will play begin early. */
export const loadMpegts = loadedOnce(() =>
  import("mpegts.js").then(({ default: mpegts }): Module => {
    mpegts.LoggingControl.enableAll = false;
    mpegts.LoggingControl.enableError = false;
    return mpegts;
  }),
);

export interface FlvEvents {
  /** The attempt is over. */
  ended(ending: Ending): void;
  /** The picture cannot be decoded; the attempt is over. */
  undecodable(codec: string): void;
  /** mpegts.js does not read this form of FLV; the attempt is over. */
  unparsable(): void;
  /** The sound cannot be decoded by MSE: play again without it. */
  soundless(codec: string): void;
}

export interface FlvOptions {
  url: string;
  /** The codec of the sound that MSE is not given; empty: it gets all. */
  without: string;
}

/** Keep so much of what was played, seconds: a page may be open for days. */
const BACK = { autoCleanupSourceBuffer: true, autoCleanupMaxBackwardDuration: 40, autoCleanupMinBackwardDuration: 20 };

export class FlvPlay {
  readonly clock = new LiveClock();
  video = "";
  audio = "";
  gop: number | null = null;
  sound: PcmSound | null = null;
  /** There is no picture, and the page decodes the sound: the media element plays nothing. */
  bare = false;
  #tags = new FlvTags((tag) => this.#take(tag));
  #player: Mpegts.Player | null = null;
  #feed: Feed | null = null;
  #element: HTMLVideoElement;
  #options: FlvOptions;
  #meter: RateMeter;
  #events: FlvEvents;
  /** What comes is not taken any more. */
  #over = false;
  #closed = false;
  #lastKey = -1;

  constructor(element: HTMLVideoElement, options: FlvOptions, meter: RateMeter, events: FlvEvents) {
    this.#element = element;
    this.#options = options;
    this.#meter = meter;
    this.#events = events;
    if (isPcm(options.without)) this.sound = new PcmSound(options.without);
  }

  async start(): Promise<void> {
    const mpegts = await loadMpegts();
    if (this.#over) return;
    const source = { type: "flv", isLive: true, url: this.#options.url, ...(this.#options.without ? { hasAudio: false } : {}) };
    this.#player = mpegts.createPlayer(source, {
      ...BACK,
      enableStashBuffer: false,
      lazyLoad: false,
      fixAudioTimestampGap: true,
      customLoader: this.#loader(mpegts),
    });
    this.#player.on(mpegts.Events.ERROR, (kind: string, detail: string, info: { msg?: string } | undefined) => {
      if (kind === mpegts.ErrorTypes.NETWORK_ERROR) return;
      const parsed = detail === mpegts.ErrorDetails.MEDIA_MSE_ERROR;
      this.#give(() => (parsed ? this.#events.ended({ why: `The browser cannot go on with this stream: ${info?.msg || detail}.`, again: true }) : this.#events.unparsable()));
    });
    this.#player.attachMediaElement(this.#element);
    this.#player.load();
  }

  /** Read no more, and keep the picture that stands. */
  park(): void {
    this.#over = true;
    this.#feed?.close();
  }

  close(): void {
    this.#over = this.#closed = true;
    this.#feed?.close();
    this.sound?.close();
    const player = this.#player;
    this.#player = null;
    if (!player) return;
    try {
      player.unload();
      player.detachMediaElement();
    } catch {
      // A media source that has failed cannot be detached in order.
    }
    // Events of what it has read last are on their way.
    setTimeout(() => player.destroy());
  }

  /** Let sound that the page decodes follow the picture. */
  step(): void {
    this.sound?.play(this.bare ? null : this.clock.streamTime(this.#element.currentTime));
  }

  #end(ending: Ending): void {
    if (!this.#over) this.#events.ended(ending);
  }

  /** Take no more, and *tell* when mpegts.js has returned: what it calls must not take it away. */
  #give(tell: () => void): void {
    if (this.#over) return;
    this.#over = true;
    setTimeout(() => this.#closed || tell());
  }

  /** What mpegts.js reads from: this connection, whose tags are looked at on the way. */
  #loader(mpegts: Module): Mpegts.CustomLoaderConstructor {
    const play = this;
    return class extends mpegts.BaseLoader {
      #received = 0;

      constructor() {
        super("fastflv");
      }

      override open(): void {
        this._status = mpegts.LoaderStatus.kBuffering;
        play.#feed = openFeed(play.#options.url, {
          data: (chunk) => {
            play.#meter.add(chunk.length);
            play.#tags.push(chunk);
            if (play.#over || play.bare) return;
            if (play.#tags.lost) {
              play.#end({ why: "What the server sends is no FLV.", again: false });
              return;
            }
            const whole = chunk.byteOffset === 0 && chunk.byteLength === chunk.buffer.byteLength;
            const buffer = (whole ? chunk.buffer : chunk.slice().buffer) as ArrayBuffer;
            const begin = this.#received;
            this.#received += buffer.byteLength;
            try {
              this.onDataArrival?.(buffer, begin, this.#received);
            } catch {
              play.#give(() => play.#events.unparsable());
            }
          },
          ended: (ending) => {
            this._status = mpegts.LoaderStatus.kComplete;
            play.#end(ending);
          },
        });
      }

      override abort(): void {
        this._status = mpegts.LoaderStatus.kComplete;
        play.#feed?.close();
      }

      override destroy(): void {
        this.abort();
        super.destroy();
      }
    };
  }

  /** Returns false for what mpegts.js is not to see. */
  #take(tag: Tag): boolean {
    if (this.#over) return true;
    if (tag.kind === SCRIPT) {
      const [name, fields] = readAmf(tag.body);
      if (name === "onLiveClock") this.clock.take(tag, fields);
    } else if (tag.kind === VIDEO) {
      const { codec, odd, frame, key } = readVideo(tag);
      if (odd) return false;
      if (codec !== this.video) {
        this.video = codec;
        if (!isDecodable(codec)) {
          this.#give(() => this.#events.undecodable(codec));
          return true;
        }
        if (!isRead(codec)) this.#give(() => this.#events.unparsable());
      }
      if (frame) this.#begin(tag.time);
      if (frame && key) {
        if (this.#lastKey >= 0 && tag.time > this.#lastKey) this.gop = (tag.time - this.#lastKey) / 1000;
        this.#lastKey = tag.time;
      }
    } else if (tag.kind === AUDIO && tag.size) {
      return this.#takeSound(tag);
    }
    return true;
  }

  #takeSound(tag: Tag): boolean {
    const { codec, odd, frame } = readAudio(tag);
    if (odd) return false;
    const without = this.#options.without;
    if (codec !== this.audio) {
      this.audio = codec;
      if (without ? isPcm(codec) && codec !== without : !isDecodable(codec)) {
        this.#give(() => this.#events.soundless(codec));
        return true;
      }
      if (!without && !isRead(codec)) this.#give(() => this.#events.unparsable());
    }
    if (this.sound) {
      this.bare = this.#tags.pictured === false && !this.video;
      this.sound.push(tag.time, tag.body);
    } else if (frame && !without) {
      this.#begin(tag.time);
    }
    return true;
  }

  /** mpegts.js counts its time from the first frame that it is given. */
  #begin(time: number): void {
    this.clock.base ??= time;
  }
}

export function sentenceOf(codec: string): string {
  return `This browser does not decode ${nameOf(codec)}.`;
}
