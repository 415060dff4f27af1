// One attempt to play HLS: by hls.js, or by the browser itself.
import type Hls from "hls.js/light";
import { HAS_MSE } from "./decodable";
import { type Ending, endingOfAnswer } from "./ending";
import type { RateMeter } from "./facts";
import { loadedOnce } from "./script";

const loadHls = loadedOnce(() => import("hls.js/light").then((module): typeof Hls => module.default));

/** A network error is tried again this often before the attempt is over. */
const TRIES = 2;

export class HlsPlay {
  #element: HTMLVideoElement;
  #url: string;
  #meter: RateMeter;
  #ended: (ending: Ending) => void;
  #hls: Hls | null = null;
  #over = false;
  #tries = 0;
  video = "";
  audio = "";

  constructor(element: HTMLVideoElement, url: string, meter: RateMeter, ended: (ending: Ending) => void) {
    this.#element = element;
    this.#url = url;
    this.#meter = meter;
    this.#ended = ended;
  }

  /** Behind the live edge, ms, as far as the playlist says; null: not known. */
  get delay(): number | null {
    const latency = this.#hls?.latency;
    return latency ? latency * 1000 : null;
  }

  async start(): Promise<void> {
    if (!HAS_MSE) {
      this.#element.src = this.#url;
      this.#element.addEventListener("error", this.#failed);
      return;
    }
    const Hls = await loadHls();
    if (this.#over) return;
    // A worker is made of a text, which the policy of the page does not allow.
    const hls = new Hls({ enableWorker: false, backBufferLength: 20, maxBufferLength: 20, liveSyncDurationCount: 2, maxLiveSyncPlaybackRate: 1.1 });
    this.#hls = hls;
    hls.on(Hls.Events.FRAG_LOADED, (_, { frag }) => this.#meter.add(frag.stats.loaded));
    hls.on(Hls.Events.MANIFEST_PARSED, (_, { levels }) => {
      this.video = levels[0]?.videoCodec ?? "";
      this.audio = levels[0]?.audioCodec ?? "";
    });
    hls.on(Hls.Events.BUFFER_CODECS, (_, { video, audio }) => {
      this.video = video?.codec ?? this.video;
      this.audio = audio?.codec ?? this.audio;
    });
    hls.on(Hls.Events.ERROR, (_, data) => {
      if (!data.fatal) return;
      if (data.type === Hls.ErrorTypes.MEDIA_ERROR && this.#tries++ < TRIES) {
        hls.recoverMediaError();
        return;
      }
      if (data.type === Hls.ErrorTypes.NETWORK_ERROR) void this.#explain();
      else this.#end({ why: `The browser cannot go on with this stream: ${data.details}.`, again: true });
    });
    hls.loadSource(this.#url);
    hls.attachMedia(this.#element);
  }

  close(): void {
    this.#over = true;
    this.#element.removeEventListener("error", this.#failed);
    if (this.#hls) this.#hls.destroy();
    else this.#element.removeAttribute("src");
    this.#hls = null;
  }

  #failed = () => void this.#explain();

  async #explain(): Promise<void> {
    try {
      const answer = await fetch(this.#url, { cache: "no-store" });
      this.#end(answer.ok ? { why: "The playlist is there, but it does not play.", again: true } : await endingOfAnswer(answer));
    } catch {
      this.#end({ why: "The server does not answer.", again: true });
    }
  }

  #end(ending: Ending): void {
    if (!this.#over) this.#ended(ending);
  }
}
