// A small live picture of a stream, without sound. Pictures play while they are seen, a few at a time.

import { useEffect, useRef, useState } from "preact/hooks";

import { type Phase, Playback } from "../player/playback";
import { type Play, type StreamRow, ask } from "./api";
import { Icon } from "../ui/icon";
import { sourceOfRow, vhostOf } from "./site";

/** Pictures that play at the same time: each decodes, and takes a connection. */
const PLAYING_MAX = 9;

/** Between two questions for the paths of a stream, ms. */
const RETRY_MS = 5000;

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

export type PreviewState = "waiting" | "playing" | "unplayable";

const STATES: Record<Phase, PreviewState> = {
  idle: "waiting", connecting: "waiting", playing: "playing", stalled: "playing", paused: "playing", blocked: "unplayable", waiting: "unplayable",
  over: "unplayable",
};

/** The stream as a muted picture; a stream without pictures is a symbol. */
export function Preview({ stream }: { stream: StreamRow }) {
  const video = useRef<HTMLVideoElement>(null);
  const [playback, setPlayback] = useState<Playback | null>(null);
  const [why, setWhy] = useState("");
  const [seen, setSeen] = useState(false);
  const alive = stream.publish.active;
  const pictured = stream.video !== null;
  useEffect(() => {
    const at = video.current;
    if (!at) return undefined;
    const watch = new IntersectionObserver((entries) => setSeen(entries[0]?.isIntersecting ?? false), { threshold: 0.2 });
    watch.observe(at);
    return () => watch.disconnect();
  }, [pictured]);
  useEffect(() => {
    const at = video.current;
    if (!at || !seen || !alive) return undefined;
    const made = new Playback(at);
    const turn = {};
    let over = false;
    let timer = 0;
    const begin = async () => {
      try {
        const source = sourceOfRow({ ...stream, audio: null }, await ask<Play>(`streams/${stream.id}/play`), stream.audio ? "only=video" : "");
        if (over) return;
        setWhy(typeof source === "string" ? source : "");
        if (typeof source === "object") made.play(source);
      } catch (error) {
        if (over) return;
        setWhy((error as Error).message);
        timer = window.setTimeout(() => void begin(), RETRY_MS);
      }
    };
    setPlayback(made);
    enter(turn, () => void begin());
    return () => {
      over = true;
      clearTimeout(timer);
      made.close();
      leave(turn);
      setPlayback(null);
    };
  }, [seen, alive, stream.id, stream.video?.codec, stream.audio?.codec]);
  const state = why ? "unplayable" : STATES[playback?.phase.value ?? "idle"];
  const said = vhostOf(stream.vhost)?.auth.includes("play") ? "Playing needs a token" : why || playback?.message.value;
  return (
    <div class={`preview ${state}`} data-state={state}>
      {pictured ? <video ref={video} muted playsInline aria-label={`Live picture of ${stream.url}`} /> : alive && <Icon name="sound" size={44} />}
      {!alive && <p class="over">The publisher is away</p>}
      {alive && pictured && state === "waiting" && <span class="spinner" role="presentation" />}
      {alive && state === "unplayable" && (
        <p class="over" title={said}>
          {said}
        </p>
      )}
    </div>
  );
}
