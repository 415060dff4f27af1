// What is played: a stream of this server, or a pasted address, and how.
import { type LiveStream, pathOf } from "../live/streams";
import { HAS_MSE, playsHls } from "./decodable";

export type Way = "ws" | "http" | "hls";

export const WAYS: Record<Way, string> = { ws: "WebSocket-FLV", http: "HTTP-FLV", hls: "HLS" };

/** A stream with a URL for each way in which it may be played. */
export interface Source {
  title: string;
  urls: Partial<Record<Way, string>>;
  /** As the server has it; null for a pasted address. */
  stream: (Pick<LiveStream, "video" | "audio"> & { rtmp?: string }) | null;
}

/** The name of a stream in addresses of pages. */
export function keyOf(stream: LiveStream): string {
  return `${stream.app}/${stream.stream}`;
}

function absolute(path: string): string {
  return new URL(path, location.origin).href;
}

/** Of a stream in the list. */
export function sourceOf(stream: LiveStream): Source {
  const flv = pathOf(stream, "flv");
  const hls = pathOf(stream, "hls");
  const urls: Source["urls"] = {};
  if (flv) {
    urls.ws = absolute(flv).replace(/^http/, "ws");
    urls.http = absolute(flv);
  }
  if (hls) urls.hls = absolute(hls);
  return { title: keyOf(stream), urls, stream };
}

/** Of an address that somebody pasted; a sentence where it cannot be played. */
export function sourceOfUrl(text: string): Source | string {
  let url: URL;
  try {
    url = new URL(text.trim(), location.href);
  } catch {
    return "This is no address: write http://, https://, ws:// or wss://, a host, and the path of the stream.";
  }
  const title = url.pathname.replace(/^\//, "") || url.host;
  if (/^rtmps?:$/.test(url.protocol)) {
    // Play by HTTP what the server of this page has under the same name.
    const path = url.pathname.replace(/\/$/, "");
    return sourceOfUrl(new URL(`${path}.flv${url.search}`, location.origin).href);
  }
  if (!/^(https?|wss?):$/.test(url.protocol)) return `A browser plays no ${url.protocol}// addresses.`;
  if (/\.m3u8$/.test(url.pathname)) return { title, urls: { hls: url.href }, stream: null };
  if (/^ws/.test(url.protocol)) return { title, urls: { ws: url.href, http: url.href.replace(/^ws/, "http") }, stream: null };
  return { title, urls: { http: url.href, ws: url.href.replace(/^http/, "ws") }, stream: null };
}

/** The best way for this browser, or the *wanted* one where the source has it. WebSockets do not count among a browser's six connections. */
export function wayOf(source: Source, wanted: Way | ""): Way | null {
  if (wanted && source.urls[wanted]) return wanted;
  const order: Way[] = HAS_MSE ? (source.stream ? ["ws", "http", "hls"] : ["http", "ws", "hls"]) : ["hls"];
  const found = order.find((way) => source.urls[way]) ?? null;
  return found === "hls" && !HAS_MSE && !playsHls() ? null : found;
}
