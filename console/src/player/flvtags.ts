// Walks the tags of an FLV stream beside the player, which gets the same bytes. Spec: Adobe FLV v10.1, annex E; Enhanced RTMP v2.

export const AUDIO = 8;
export const VIDEO = 9;
export const SCRIPT = 18;

/** Kept of the body of a tag, bytes. Sound is decoded here where the browser cannot; pictures never are. */
const KEPT: Record<number, number> = { [AUDIO]: 16 * 1024, [VIDEO]: 8, [SCRIPT]: 64 * 1024 };

/** A kind of tags that nobody knows. */
const NO_KIND = 31;

export interface Tag {
  kind: number;
  /** ms. */
  time: number;
  /** Of the whole body, bytes. */
  size: number;
  /** The begin of the body; valid until the call returns. */
  body: Uint8Array;
}

export class FlvTags {
  #take: (tag: Tag) => boolean | void;
  /** Where the head of the tag begins in the data that came last; below 0: in what came before. */
  #at = 0;
  #data: Uint8Array = new Uint8Array(0);
  #head = new Uint8Array(11);
  #body = new Uint8Array(KEPT[SCRIPT]!);
  #filled = 0;
  #skip = 0;
  #kept = 0;
  #state: "start" | "tag" | "body" | "skip" | "lost" = "start";

  /** *take* is called for each tag. Where it returns false, readers of the same bytes behind this one skip the tag. */
  constructor(take: (tag: Tag) => boolean | void) {
    this.#take = take;
  }

  /** The head of the stream was read, and announces pictures. */
  pictured: boolean | null = null;

  /** What came is no FLV. */
  get lost(): boolean {
    return this.#state === "lost";
  }

  push(data: Uint8Array): void {
    let at = 0;
    this.#data = data;
    this.#at = -1;
    while (at < data.length && this.#state !== "lost") {
      if (this.#state === "skip") {
        const step = Math.min(this.#skip, data.length - at);
        at += step;
        this.#skip -= step;
        if (!this.#skip) this.#state = "tag";
      } else if (this.#state === "body") {
        at += this.#gather(this.#body, this.#kept, data, at);
        if (this.#filled === this.#kept) this.#end();
      } else {
        const size = this.#state === "start" ? 9 : 11;
        if (!this.#filled) this.#at = at;
        at += this.#gather(this.#head, size, data, at);
        if (this.#filled === size) this.#begin();
      }
    }
  }

  #gather(into: Uint8Array, size: number, data: Uint8Array, at: number): number {
    const step = Math.min(size - this.#filled, data.length - at);
    into.set(data.subarray(at, at + step), this.#filled);
    this.#filled += step;
    return step;
  }

  #begin(): void {
    const head = this.#head;
    this.#filled = 0;
    if (this.#state === "start") {
      const known = head[0] === 0x46 && head[1] === 0x4c && head[2] === 0x56;
      const offset = (head[5]! << 24) | (head[6]! << 16) | (head[7]! << 8) | head[8]!;
      this.#skip = offset - 9 + 4;
      this.pictured = (head[4]! & 1) === 1;
      this.#state = known && offset >= 9 && offset < 1024 ? "skip" : "lost";
      return;
    }
    this.#kept = Math.min(this.#size, KEPT[this.#kind] ?? 0);
    this.#state = "body";
    if (!this.#kept) this.#end();
  }

  #end(): void {
    const head = this.#head;
    const time = ((head[4]! << 16) | (head[5]! << 8) | head[6]! | (head[7]! << 24)) >>> 0;
    this.#filled = 0;
    this.#skip = this.#size - this.#kept + 4;
    this.#state = "skip";
    const wanted = this.#take({ kind: this.#kind, time, size: this.#size, body: this.#body.subarray(0, this.#kept) });
    if (wanted === false && this.#at >= 0) this.#data[this.#at] = NO_KIND;
  }

  get #kind(): number {
    return this.#head[0]! & 31;
  }

  get #size(): number {
    return (this.#head[1]! << 16) | (this.#head[2]! << 8) | this.#head[3]!;
  }
}

const VIDEO_CODECS: Record<number, string> = { 2: "H263", 4: "VP6", 7: "H264", 12: "HEVC", 13: "AV1" };
const AUDIO_CODECS: Record<number, string> = {
  1: "ADPCM", 2: "MP3", 3: "PCM", 4: "Nellymoser", 5: "Nellymoser", 6: "Nellymoser", 7: "G711A", 8: "G711MU", 10: "AAC", 11: "Speex", 13: "Opus", 14: "MP3",
};
const FOUR_CC: Record<string, string> = {
  avc1: "H264", hvc1: "HEVC", hev1: "HEVC", av01: "AV1", vp08: "VP8", vp09: "VP9", vvc1: "VVC",
  mp4a: "AAC", ".mp3": "MP3", Opus: "Opus", fLaC: "FLAC", "ac-3": "AC3", "ec-3": "EAC3",
};

export interface Coded {
  codec: string;
  /** A kind of packet that mpegts.js takes for a fault: about channels or colours, or with several tracks. */
  odd: boolean;
  /** It has a frame: no header of a sequence, no metadata. */
  frame: boolean;
  key: boolean;
}

function fourCc(body: Uint8Array): string {
  const name = String.fromCharCode(...body.subarray(1, 5));
  return FOUR_CC[name] ?? name;
}

/** What a video tag carries. */
export function readVideo({ body }: Tag): Coded {
  const first = body[0] ?? 0;
  const key = ((first >> 4) & 7) === 1;
  if (first & 0x80) return { codec: fourCc(body), odd: (first & 15) > 3, frame: [1, 3].includes(first & 15), key };
  const id = first & 15;
  const framed = id === 7 || id === 12 || id === 13;
  return { codec: VIDEO_CODECS[id] ?? `video ${id}`, odd: false, frame: !framed || body[1] === 1, key };
}

/** What an audio tag carries. */
export function readAudio({ body }: Tag): Coded {
  const first = body[0] ?? 0;
  const id = first >> 4;
  if (id === 9) return { codec: fourCc(body), odd: (first & 15) > 2, frame: (first & 15) === 1, key: false };
  return { codec: AUDIO_CODECS[id] ?? `audio ${id}`, odd: false, frame: id !== 10 || body[1] === 1, key: false };
}
