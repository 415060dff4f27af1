// A live picture of a stream. Pictures play while they are seen, a few at a time.

import type Mpegts from "mpegts.js";
import { useEffect, useRef, useState } from "preact/hooks";

import { isDecodable, nameOf } from "../player/decodable";
import { loadMpegts } from "../player/flvplay";
import { type PlayPath, type StreamRow, ask } from "./api";
import { Icon } from "./icons";
import { flvPath, pathUrl, streamOrigin, vhostOf, vhostQuery } from "./site";

/** Pictures that play at the same time: each decodes, and takes a connection. */
const PLAYING_MAX = 9;

const playing = new Set<object>();
const waiting: { turn: object; begin: () => void }[] = [];

function enter(turn: object, begin: () => void): void {
  if (playing.size < PLAYING_MAX) {
    playing.add(turn);
    begin();
  } else {
    waiting.push({ turn, begin });
  }
}

function leave(turn: object): void {
  const at = waiting.findIndex((each) => each.turn === turn);
  if (at >= 0) waiting.splice(at, 1);
  if (playing.delete(turn)) {
    const next = waiting.shift();
    if (next) {
      playing.add(next.turn);
      next.begin();
    }
  }
}

export type PreviewState = "waiting" | "playing" | "unplayable" | "ended";

interface Props {
  stream: StreamRow;
  /** With sound, and controls of the browser. */
  whole?: boolean;
  /** Plays a moment that has sound. */
  muted?: boolean;
}

/** The stream as a muted picture; a stream without pictures is a symbol. */
export function Preview({ stream, whole = false, muted = true }: Props) {
  const video = useRef<HTMLVideoElement>(null);
  const [state, setState] = useState<PreviewState>("waiting");
  const [why, setWhy] = useState("");
  const [seen, setSeen] = useState(whole);
  const alive = stream.publish.active;
  useEffect(() => {
    const at = video.current;
    if (!at || whole) return undefined;
    const watch = new IntersectionObserver((entries) => setSeen(entries[0]?.isIntersecting ?? false), { threshold: 0.2 });
    watch.observe(at);
    return () => watch.disconnect();
  }, [whole, stream.video !== null]);
  useEffect(() => {
    const at = video.current;
    if (!at || !seen || !alive) return undefined;
    const turn = {};
    let over = false;
    let player: Mpegts.Player | undefined;
    let timer = 0;
    let failures = 0;
    const close = () => {
      const closed = player;
      player = undefined;
      // What tells of an error goes on behind this call, and must find its player.
      setTimeout(() => closed?.destroy());
    };
    const fail = (sentence: string) => {
      if (over) return;
      close();
      failures += 1;
      setWhy(sentence);
      setState("unplayable");
      timer = window.setTimeout(() => void begin(), Math.min(30_000, 2000 * 2 ** failures));
    };
    const begin = async () => {
      try {
        const [mpegts, { paths, vhost }] = await Promise.all([
          loadMpegts(),
          ask<{ paths: PlayPath[]; vhost: string }>(`streams/${stream.id}/play`),
        ]);
        if (over) return;
        const path = flvPath(paths);
        const base = streamOrigin(true);
        if (!mpegts.isSupported() || !path || !base) {
          fail(!path ? "no FLV mount plays it" : !base ? "http_server is off" : "this browser has no Media Source Extensions");
          return;
        }
        const heard = whole && stream.audio !== null && isDecodable(stream.audio.codec);
        const only = heard || !stream.video || !stream.audio ? "" : "only=video";
        player = mpegts.createPlayer(
          {
            type: "flv",
            isLive: true,
            url: pathUrl(base, path.path, vhostQuery(vhost, only)),
            hasAudio: stream.audio !== null && !only,
            hasVideo: stream.video !== null,
          },
          {
            enableWorker: false,
            enableStashBuffer: false,
            liveBufferLatencyChasing: true,
            liveBufferLatencyMaxLatency: 1.5,
            liveBufferLatencyMinRemain: 0.3,
            autoCleanupSourceBuffer: true,
            autoCleanupMaxBackwardDuration: 12,
            autoCleanupMinBackwardDuration: 6,
          },
        );
        player.on(mpegts.Events.ERROR, (kind: string, detail: string) => {
          fail(kind === mpegts.ErrorTypes.MEDIA_ERROR ? "this browser cannot go on with its media" : detail);
        });
        player.on(mpegts.Events.LOADING_COMPLETE, () => fail("the stream ended"));
        player.attachMediaElement(at);
        player.load();
        await player.play();
      } catch (error) {
        if (error instanceof DOMException && error.name === "AbortError") return;
        fail(error instanceof Error ? error.message : "it cannot be played");
      }
    };
    const codec = (stream.video ?? stream.audio)?.codec;
    if (codec && !isDecodable(codec)) {
      setWhy(`this browser does not decode ${nameOf(codec)}`);
      setState("unplayable");
      return () => setState("waiting");
    }
    const moved = () => {
      failures = 0;
      setWhy("");
      setState("playing");
    };
    at.addEventListener("playing", moved);
    enter(turn, () => void begin());
    return () => {
      over = true;
      clearTimeout(timer);
      at.removeEventListener("playing", moved);
      close();
      leave(turn);
      setState("waiting");
    };
  }, [seen, alive, stream.id, stream.video?.codec, stream.audio?.codec, whole]);
  const locked = vhostOf(stream.vhost)?.auth.includes("play");
  return (
    <div class={`preview ${state}`} data-state={state}>
      {(stream.video || whole) && (
        <video ref={video} muted={muted} playsInline controls={whole} aria-label={`Live picture of ${stream.url}`} />
      )}
      {!alive && <p class="over">The publisher is away</p>}
      {alive && !stream.video && !whole && <Icon name="sound" size={44} />}
      {alive && stream.video && state === "waiting" && <span class="spinner" role="presentation" />}
      {alive && state === "unplayable" && <p class="over">{locked ? "Playing needs a token" : why}</p>}
    </div>
  );
}
