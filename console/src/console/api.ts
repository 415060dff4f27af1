// The HTTP API of the server that sent this page. Nothing else is asked.

import { signal } from "@preact/signals";

import type { Audio, Video } from "../live/streams";

export interface Kbps {
  recv_30s: number;
  send_30s: number;
}

export interface StreamRow {
  id: string;
  name: string;
  vhost: string;
  app: string;
  url: string;
  clients: number;
  live_ms: number;
  frames: number;
  recv_bytes: number;
  send_bytes: number;
  kbps: Kbps;
  publish: { active: boolean; cid: string; standby: string; state: string };
  video: Video | null;
  audio: Audio | null;
}

/** How many play a stream: its clients without those who publish. */
export function playersOf(stream: StreamRow): number {
  return Math.max(0, stream.clients - (stream.publish.active ? 1 : 0) - (stream.publish.standby ? 1 : 0));
}

export interface ClientRow {
  id: string;
  vhost: string;
  stream: string;
  ip: string;
  url: string;
  name: string;
  type: string;
  publish: boolean;
  state: string;
  alive: number;
  send_bytes: number;
  recv_bytes: number;
  kbps: Kbps;
  lag_ms?: number;
  drops?: number;
  dropped?: number;
  jumps?: number;
  first_byte_ms?: number | null;
}

export interface EndedRow {
  id: string;
  ip: string;
  url: string;
  name: string;
  type: string;
  publish: boolean;
  admitted: boolean;
  reason: string;
  alive: number;
  ended_ms: number;
  send_bytes: number;
  recv_bytes: number;
}

export interface PublisherRow {
  id: string;
  stream: string;
  url: string;
  ip: string;
  type: string;
  active: boolean;
  role: "primary" | "backup";
  alive: number;
  recv_bytes: number;
  kbps: Kbps;
  video: Video | null;
  audio: Audio | null;
  frame_rate: number;
  key_interval_ms: number;
  key_age_ms: number | null;
  gop_bytes: number;
  jitter_ms: number;
  skew_ms: number;
  repaired: number;
  warnings: { kind: string; message: string }[];
}

/** Warnings of what players see or hear. B-frames are none: they cost delay alone, and most encoders send them. */
export function troublesOf(publisher: PublisherRow): PublisherRow["warnings"] {
  return publisher.warnings.filter((each) => each.kind !== "b-frames");
}

export interface VhostRow {
  id: string;
  name: string;
  enabled: boolean;
  auth: string[];
  timeshift: number;
  hls: { enabled: boolean; fragment?: number };
}

export interface Listener {
  name: string;
  host: string;
  port: number;
  scheme: string;
  streams: boolean;
  api: boolean;
}

export interface PlayPath {
  container: string;
  path: string;
  refusal: string;
}

/** Where a stream plays. */
export interface Play {
  paths: PlayPath[];
  vhost: string;
}

export interface Recording {
  id: string;
  url: string;
  size: number;
  duration: number;
  codecs: string[];
  state: "recording" | "broken" | "finished";
  changed: number;
}

export interface Trends {
  step_seconds: number;
  time_ms: number[];
  cpu: number[];
  machine_cpu: number[];
  memory_bytes: number[];
  streams: number[];
  publishers: number[];
  players: number[];
  connections: number[];
  recv_kbps: number[];
  send_kbps: number[];
}

export interface Summary {
  now_ms: number;
  self: { version: string; mem_kbyte: number; mem_percent: number; cpu_percent: number; srs_uptime: number };
  system: {
    cpu_percent: number;
    mem_ram_kbyte: number;
    cpus_online: number;
    srs_recv_bytes: number;
    srs_send_bytes: number;
    conn_srs: number;
  };
}

export interface Setting {
  setting: string;
  value: string;
  source: string;
}

export interface Notice {
  kind: string;
  message: string;
  file: string;
  line: number;
  column: number;
}

export interface Report {
  good: boolean;
  configuration: number;
  changes: { setting: string; old: string; new: string; when: string; place: string }[];
  next_publish: string[];
  problems: string[];
}

export interface LogLine {
  id: number;
  time_ms: number;
  level: "debug" | "info" | "warning" | "error";
  message: string;
  client?: string;
  peer?: string;
  error?: string;
}

export interface ApiSettings {
  read_only: boolean;
  raw_api: { enabled: boolean; allow_reload: boolean };
}

/** Why a request was refused, as a sentence for people. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code = 0,
  ) {
    super(message);
  }
}

const TOKEN = "fastflv.console.authorization";
const CODES: Record<number, string> = {
  1060: "the server knows no such procedure",
  1061: "the configuration does not allow it (http_api.raw_api)",
  2014: "there is no such vhost any more",
  2048: "there is no such stream any more",
  2049: "there is no such client any more",
};

/** The API asks for a password that nobody has given yet. */
export const locked = signal(false);

/** The server does not answer: since when, ms; 0 while it does. */
export const lostSince = signal(0);

/** Value of `Authorization` for requests that the page does not make by `ask`; empty without a password. */
export function authorization(): string {
  return sessionStorage.getItem(TOKEN) ?? "";
}

export function logIn(name: string, password: string): void {
  const bytes = new TextEncoder().encode(`${name}:${password}`);
  sessionStorage.setItem(TOKEN, `Basic ${btoa(String.fromCharCode(...bytes))}`);
}

export function logOut(): void {
  sessionStorage.removeItem(TOKEN);
  locked.value = true;
}

/** Ask the API, and return the good answer. Rejects with ApiError. */
export async function ask<Answer>(path: string, method = "GET", abort?: AbortSignal): Promise<Answer> {
  const token = authorization();
  const headers: Record<string, string> = token ? { Authorization: token } : {};
  // A form of another site cannot send this type, and the server refuses forms.
  if (method !== "GET") headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(path.startsWith("/") ? path : `/api/v1/${path}`, {
      method,
      // Without credentials the browser shows no dialog of its own for a password.
      credentials: "omit",
      cache: "no-store",
      headers,
      signal: abort ?? null,
    });
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "AbortError")) {
      lostSince.value ||= Date.now();
    }
    throw new ApiError("the server does not answer", 0);
  }
  lostSince.value = 0;
  if (response.status === 401) {
    locked.value = true;
    throw new ApiError("name or password is wrong", 401);
  }
  const json = (response.headers.get("content-type") ?? "").includes("json");
  const body = json ? await response.json() : await response.text();
  if (!response.ok) {
    const said = json ? String(body.message ?? body.code) : String(body).trim();
    throw new ApiError(said || `HTTP ${response.status}`, response.status);
  }
  if (json && body.code !== 0 && body.code !== undefined) {
    throw new ApiError(CODES[body.code] ?? `the server refuses with code ${body.code}`, 200, body.code);
  }
  return body as Answer;
}

/** Every row of a list, asked for in pages; *most* of them at most. */
export async function askAll<Row>(path: string, field: string, most = 500): Promise<{ rows: Row[]; total: number }> {
  const mark = path.includes("?") ? "&" : "?";
  const answer = await ask<Record<string, unknown>>(`${path}${mark}count=${Math.min(most, 500)}`);
  return { rows: answer[field] as Row[], total: Number(answer["total"] ?? 0) };
}
