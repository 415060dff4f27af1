// G.711 for browsers, which do not decode it in MSE: decoded here, and played by Web Audio in time with the picture. Spec: ITU-T G.711.

/** Samples of an A-law or mu-law byte, as floats from -1 to 1. */
export function tableOf(codec: string): Float32Array {
  const table = new Float32Array(256);
  for (let byte = 0; byte < 256; byte++) table[byte] = (codec === "G711A" ? fromALaw(byte) : fromMuLaw(byte)) / 32768;
  return table;
}

function fromALaw(byte: number): number {
  const code = byte ^ 0x55;
  const exponent = (code >> 4) & 7;
  const mantissa = code & 15;
  const size = exponent === 0 ? (mantissa << 4) + 8 : ((mantissa << 4) + 0x108) << (exponent - 1);
  return code & 0x80 ? size : -size;
}

function fromMuLaw(byte: number): number {
  const code = ~byte & 0xff;
  const size = ((((code & 15) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84;
  return code & 0x80 ? -size : size;
}

const RATE = 8000;
/** Sound that is this far from its place is moved there, seconds; less is heard as nothing. */
const DRIFT_MAX = 0.12;
/** Sound that waits for its picture, seconds. */
const WAITING_MAX = 10;

interface Piece {
  /** Of the stream, ms. */
  time: number;
  samples: Float32Array<ArrayBuffer>;
}

export class PcmSound {
  #table: Float32Array;
  #context = new AudioContext({ latencyHint: "interactive" });
  #gain: GainNode;
  #pieces: Piece[] = [];
  #next = 0;
  #nodes = new Set<AudioBufferSourceNode>();

  constructor(codec: string) {
    this.#table = tableOf(codec);
    this.#gain = this.#context.createGain();
    this.#gain.connect(this.#context.destination);
  }

  /** It runs: browsers let it begin with a gesture of the viewer. */
  get running(): boolean {
    return this.#context.state === "running";
  }

  set volume(volume: number) {
    this.#gain.gain.value = volume;
    if (volume > 0 && !this.running) void this.#context.resume();
  }

  /** Take the body of a tag behind its first byte, which says mono or stereo. */
  push(time: number, body: Uint8Array): void {
    const stereo = (body[0]! & 1) === 1;
    const step = stereo ? 2 : 1;
    const samples = new Float32Array(Math.floor((body.length - 1) / step));
    for (let n = 0; n < samples.length; n++) samples[n] = this.#table[body[1 + n * step]!]!;
    if (samples.length) this.#pieces.push({ time, samples });
    const waiting = () => this.#pieces[this.#pieces.length - 1]!.time - this.#pieces[0]!.time;
    while (this.#pieces.length > 1 && waiting() > WAITING_MAX * 1000) this.#pieces.shift();
  }

  /** Play what is due. *position*: of the picture in the stream, ms; null: there is none, the sound goes by itself. */
  play(position: number | null): void {
    if (!this.running) {
      if (position === null) this.#pieces.splice(0, Math.max(0, this.#pieces.length - 10));
      return;
    }
    const now = this.#context.currentTime;
    while (this.#pieces.length) {
      const piece = this.#pieces[0]!;
      const due = position === null ? Math.max(this.#next, now + 0.05) : now + (piece.time - position) / 1000;
      if (due > now + 0.5) break;
      this.#pieces.shift();
      if (due < now - 0.02) continue;
      const near = Math.abs(due - this.#next) < DRIFT_MAX && this.#next >= now;
      this.#start(piece, near ? this.#next : due);
    }
  }

  #start(piece: Piece, at: number): void {
    const buffer = this.#context.createBuffer(1, piece.samples.length, RATE);
    buffer.copyToChannel(piece.samples, 0);
    const node = this.#context.createBufferSource();
    node.buffer = buffer;
    node.connect(this.#gain);
    node.onended = () => this.#nodes.delete(node);
    node.start(at);
    this.#nodes.add(node);
    this.#next = at + buffer.duration;
  }

  /** Forget what waits: the picture has jumped. */
  clear(): void {
    for (const node of this.#nodes) node.stop();
    this.#nodes.clear();
    this.#pieces = [];
    this.#next = 0;
  }

  close(): void {
    this.clear();
    void this.#context.close();
  }
}
