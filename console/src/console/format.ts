// Figures as people read them.

const ONE = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const NONE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

function scaled(value: number, units: string[], base: number): [string, string] {
  let at = 0;
  while (value >= base && at < units.length - 1) {
    value /= base;
    at += 1;
  }
  return [value >= 100 || at === 0 ? NONE.format(value) : ONE.format(value), units[at] ?? ""];
}

export function bytes(count: number): string {
  return scaled(count, ["B", "KB", "MB", "GB", "TB"], 1024).join(" ");
}

export function bitRateParts(kbps: number): [string, string] {
  return scaled(kbps, ["kbit/s", "Mbit/s", "Gbit/s"], 1000);
}

export function bitRate(kbps: number): string {
  return bitRateParts(kbps).join(" ");
}

export function bytesParts(count: number): [string, string] {
  return scaled(count, ["B", "KB", "MB", "GB", "TB"], 1024);
}

export function count(value: number): string {
  return NONE.format(value);
}

export function decimal(value: number): string {
  return ONE.format(value);
}

/** A part as percent. */
export function percent(part: number): string {
  return `${part < 0.1 ? ONE.format(part * 100) : NONE.format(part * 100)} %`;
}

/** Seconds as `3 d 4 h`, `2 h 05 min`, `4 min 10 s` or `9 s`. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const days = Math.floor(whole / 86_400);
  const hours = Math.floor((whole % 86_400) / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = whole % 60;
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${String(minutes).padStart(2, "0")} min`;
  if (minutes) return `${minutes} min ${String(rest).padStart(2, "0")} s`;
  return `${rest} s`;
}

/** Seconds as `1:02:03` or `2:03`, for places in a film. */
export function timecode(seconds: number, tenths = false): string {
  const whole = Math.max(0, seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = whole % 60;
  const last = tenths ? rest.toFixed(1).padStart(4, "0") : String(Math.floor(rest)).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${last}` : `${minutes}:${last}`;
}

export function milliseconds(ms: number): string {
  return ms >= 10_000 ? `${NONE.format(ms / 1000)} s` : ms >= 1000 ? `${ONE.format(ms / 1000)} s` : `${NONE.format(ms)} ms`;
}

export function clock(ms: number): string {
  const at = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

export function day(ms: number): string {
  const at = new Date(ms);
  const today = new Date();
  const same = at.toDateString() === today.toDateString();
  return same ? clock(ms) : `${at.toLocaleDateString("en", { month: "short", day: "numeric" })}, ${clock(ms)}`;
}

/** What a track is, as `H264 1280×720`. */
export function videoText(video: { codec: string; width: number; height: number } | null): string {
  if (!video) return "";
  return video.width ? `${video.codec} ${video.width}×${video.height}` : video.codec;
}

export function audioText(audio: { codec: string; sample_rate: number; channel: number } | null): string {
  if (!audio) return "";
  const channels = audio.channel === 1 ? "mono" : audio.channel === 2 ? "stereo" : audio.channel ? `${audio.channel} ch` : "";
  return [audio.codec, audio.sample_rate ? `${ONE.format(audio.sample_rate / 1000)} kHz` : "", channels]
    .filter(Boolean)
    .join(" ");
}

/** What sends or receives, from the `type` of a client. */
export function outputText(type: string): string {
  const name = type.replace(/-(play|publish|clip)$/, "");
  const known: Record<string, string> = {
    fmle: "RTMP", rtmp: "RTMP", flv: "HTTP-FLV", "ws-flv": "WS-FLV", hls: "HLS", ts: "HTTP-TS", "ws-ts": "WS-TS",
    aac: "AAC", mp3: "MP3", python: "Python", flash: "RTMP",
  };
  return known[name] ?? name;
}
