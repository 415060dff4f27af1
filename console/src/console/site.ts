// What all views know of the server: its ports, its vhosts, what its API permits.

import { computed, signal } from "@preact/signals";

import { tellClock } from "../live/streams";
import type { Source } from "../player/source";
import { type ApiSettings, type Listener, type Play, type StreamRow, type Summary, type VhostRow, ask } from "./api";

export const listeners = signal<Listener[]>([]);
export const vhosts = signal<VhostRow[]>([]);
export const apiSettings = signal<ApiSettings | null>(null);

const VIEW_ONLY = "fastflv.console.viewonly";

/** The person wants no buttons that change something. */
export const viewOnly = signal(localStorage.getItem(VIEW_ONLY) === "1");

export function setViewOnly(on: boolean): void {
  viewOnly.value = on;
  localStorage.setItem(VIEW_ONLY, on ? "1" : "0");
}

/** Nothing may be changed: the server says so, or the person. */
export const readOnly = computed(() => viewOnly.value || (apiSettings.value?.read_only ?? false));

export const DEFAULT_VHOST = "__defaultVhost__";

export async function loadSite(): Promise<void> {
  const asked = performance.now();
  const clock = ask<{ data: Summary }>("summaries").then(({ data }) => tellClock(data.now_ms, performance.now() - asked));
  const [ports, found, raw] = await Promise.all([
    ask<{ listeners: Listener[] }>("listeners"),
    ask<{ vhosts: VhostRow[] }>("vhosts"),
    ask<{ http_api: ApiSettings }>("raw?rpc=raw"),
    clock,
  ]);
  listeners.value = ports.listeners;
  vhosts.value = found.vhosts;
  apiSettings.value = raw.http_api;
}

export function vhostOf(id: string): VhostRow | undefined {
  return vhosts.value.find((each) => each.id === id);
}

const USUAL: Record<string, number> = { rtmp: 1935, rtmps: 443, http: 80, https: 443, ws: 80, wss: 443 };

/** `scheme://host[:port]`, with *host* as the person reaches the server. */
export function origin(scheme: string, port: number, host = location.hostname): string {
  const named = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return `${scheme}://${named}${port === USUAL[scheme] ? "" : `:${port}`}`;
}

/** The port with the streams that a page of this scheme may use. */
function streamPort(): Listener | undefined {
  const fits = listeners.value.filter((each) => each.streams && each.scheme.startsWith("http"));
  const same = fits.find((each) => String(each.port) === (location.port || String(USUAL[location.protocol.slice(0, -1)])));
  const secure = fits.find((each) => each.scheme === "https");
  return same ?? (location.protocol === "https:" ? secure : fits.find((each) => each.scheme === "http") ?? secure);
}

/** Beginning of the URLs of streams; empty where no port has them. */
export function streamOrigin(): string {
  const at = streamPort();
  return at ? origin(at.scheme, at.port) : "";
}

/** `?vhost=...` where the host of this page stands for another vhost. */
export function vhostQuery(name: string, more = ""): string {
  const query = [name && name !== DEFAULT_VHOST ? `vhost=${encodeURIComponent(name)}` : "", more].filter(Boolean).join("&");
  return query ? `?${query}` : "";
}

export function pathUrl(base: string, path: string, query = ""): string {
  return base + path.split("/").map(encodeURIComponent).join("/") + query;
}

/** What a player of this page plays of *stream*; a sentence where there is nothing. *more*: of the query. */
export function sourceOfRow(stream: StreamRow, { paths, vhost }: Play, more = ""): Source | string {
  const base = streamOrigin();
  if (!base) return "http_server is off";
  const url = (container: string) => {
    const found = paths.find((each) => each.container === container && !each.refusal);
    return found && pathUrl(base, found.path, vhostQuery(vhost, more));
  };
  const flv = url("flv");
  const hls = url("hls");
  if (!flv && !hls) return "No mount of HTTP plays it";
  const urls: Source["urls"] = { ...(flv ? { ws: flv.replace(/^http/, "ws"), http: flv } : {}), ...(hls ? { hls } : {}) };
  return { title: stream.url, urls, stream };
}
