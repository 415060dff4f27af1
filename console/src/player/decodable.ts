// What this browser decodes, asked of it by typical profiles.

export const HAS_MSE = typeof MediaSource === "function" || "ManagedMediaSource" in globalThis;

const TYPES: Record<string, string> = {
  H264: 'video/mp4; codecs="avc1.64001f"',
  HEVC: 'video/mp4; codecs="hvc1.1.6.L93.B0"',
  AV1: 'video/mp4; codecs="av01.0.05M.08"',
  VP9: 'video/mp4; codecs="vp09.00.10.08"',
  AAC: 'audio/mp4; codecs="mp4a.40.2"',
  MP3: "audio/mpeg",
  Opus: 'audio/mp4; codecs="opus"',
  FLAC: 'audio/mp4; codecs="flac"',
  AC3: 'audio/mp4; codecs="ac-3"',
  EAC3: 'audio/mp4; codecs="ec-3"',
};

/** Names that people know. */
export const NAMES: Record<string, string> = {
  H264: "H.264", HEVC: "HEVC (H.265)", AV1: "AV1", VP9: "VP9", G711A: "G.711 A-law", G711MU: "G.711 µ-law", AC3: "AC-3", EAC3: "E-AC-3",
};

export function nameOf(codec: string): string {
  return NAMES[codec] ?? codec;
}

/** Media Source Extensions take *codec* here. */
export function isDecodable(codec: string): boolean {
  const type = TYPES[codec];
  const sources = globalThis as { MediaSource?: typeof MediaSource; ManagedMediaSource?: typeof MediaSource };
  return type !== undefined && !!(sources.MediaSource ?? sources.ManagedMediaSource)?.isTypeSupported(type);
}

const READ = new Set(["H264", "HEVC", "AV1", "AAC", "MP3", "Opus"]);

/** mpegts.js reads *codec* from FLV, in a form that browsers take. */
export function isRead(codec: string): boolean {
  return READ.has(codec);
}

/** The media element plays *codec* where MSE does not, as some players of HLS do. */
export function isPlayable(codec: string): boolean {
  return document.createElement("video").canPlayType(TYPES[codec] ?? "") !== "";
}

/** The page decodes it itself, see pcm.ts. */
export function isPcm(codec: string): boolean {
  return codec === "G711A" || codec === "G711MU";
}

/** The browser plays HLS without a script, as iPhones do. */
export function playsHls(): boolean {
  return document.createElement("video").canPlayType("application/vnd.apple.mpegurl") !== "";
}
