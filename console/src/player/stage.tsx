// A media element with its controls, and what is said over it.
import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { copyText } from "../ui/copy";
import { Icon, type IconName } from "../ui/icon";
import { span } from "../ui/units";
import { type Offer, Playback } from "./playback";
import { type Source, type Way, WAYS } from "./source";
import "./stage.css";

interface Props {
  source: Source;
  wanted: Way | "";
  /** Told the playback once it is there. */
  onReady?: (playback: Playback) => void;
  /** A tile of a wall: no controls but a mute button. */
  tile?: boolean;
  /** A tile is asked to be shown alone. */
  onOpen?: () => void;
  /** The viewer's own choice of sound. */
  unmuted?: boolean;
}

const OFFERS: Record<Offer, string> = {
  hls: "Play HLS",
  sound: "Play the sound alone",
  copy: "Copy the address for VLC",
  retry: "Try again",
};

export function Stage({ source, wanted, onReady, tile = false, onOpen, unmuted = false }: Props) {
  const video = useRef<HTMLVideoElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const [playback, setPlayback] = useState<Playback | null>(null);
  const key = `${source.title} ${source.urls.ws ?? source.urls.http ?? source.urls.hls}`;

  useEffect(() => {
    const made = new Playback(video.current!);
    setPlayback(made);
    onReady?.(made);
    return () => made.close();
  }, []);
  useEffect(() => {
    playback?.play(source, wanted);
    if (unmuted) playback?.mute(false);
  }, [playback, key, wanted]);

  return (
    <div class={tile ? "stage tile" : "stage"} ref={frame} onKeyDown={(event) => !tile && playback && onPlayerKey(event, playback, frame.current)}>
      <video ref={video} playsInline muted aria-label={`Stream ${source.title}`} onClick={() => (tile ? onOpen?.() : playback?.toggle())} />
      {playback && <Over playback={playback} source={source} tile={tile} frame={frame} onOpen={onOpen} />}
    </div>
  );
}

interface OverProps {
  playback: Playback;
  source: Source;
  tile: boolean;
  frame: { current: HTMLDivElement | null };
  onOpen?: () => void;
}

function Over({ playback, source, tile, frame, onOpen }: OverProps) {
  const { phase, message, wait, offers, muted, lacking, soundOnly } = playback;
  const asked = useSignal(false);
  const silent = useComputed(() => muted.value && phase.value === "playing" && !asked.value);
  const act = (offer: Offer) => {
    if (offer === "hls") playback.change("hls");
    else if (offer === "sound") playback.soundAlone();
    else if (offer === "retry") playback.retry();
    else void copyText(source.urls.http ?? source.urls.hls ?? playback.url);
  };
  const waiting = phase.value === "waiting";
  const text =
    phase.value === "connecting" ? "Connecting…" : phase.value === "stalled" ? "Waiting for media…" : waiting ? `${message.value} Next try in ${Math.max(1, wait.value)} s.` : message.value;
  const paused = phase.value === "paused" || phase.value === "blocked";
  return (
    <>
      {soundOnly.value && phase.value !== "over" && (
        <div class="soundonly" aria-hidden="true">
          <Icon name="wave" size={tile ? 40 : 88} />
          <span>Sound only</span>
        </div>
      )}
      <div class={text ? `said ${phase.value}` : "said"} role="status" aria-live="polite">
        {text && (
          <div class="card">
            {(phase.value === "connecting" || phase.value === "stalled") && <span class="spinner" aria-hidden="true" />}
            <p>{text}</p>
            {!tile && offers.value.length > 0 && (
              <div class="row">
                {offers.value.map((offer, at) => (
                  <button type="button" key={offer} class={at ? "" : "primary"} onClick={() => act(offer)}>
                    {OFFERS[offer]}
                  </button>
                ))}
              </div>
            )}
          </div>
        )}
      </div>
      {paused && (
        <button type="button" class="big" onClick={() => playback.toggle()} aria-label="Play">
          <Icon name="play" size={tile ? 32 : 56} />
        </button>
      )}
      {tile ? (
        <div class="tilebar">
          <button type="button" class="name" onClick={onOpen} title={`Show ${source.title} alone`}>
            {source.title}
          </button>
          <MuteButton playback={playback} name={source.title} />
        </div>
      ) : (
        <>
          {silent.value && source.stream?.audio !== null && (
            <button
              type="button"
              class="unmute"
              onClick={() => {
                asked.value = true;
                playback.mute(false);
              }}
            >
              <Icon name="muted" /> Tap for sound
            </button>
          )}
          {lacking.value && <p class="lacking">{lacking.value}</p>}
          <Controls playback={playback} frame={frame} />
        </>
      )}
    </>
  );
}

function MuteButton({ playback, name = "" }: { playback: Playback; name?: string }) {
  const muted = playback.muted.value;
  const label = `${muted ? "Sound on" : "Sound off"}${name ? `: ${name}` : ""}`;
  return <ControlButton icon={muted ? "muted" : "sound"} label={label} onClick={() => playback.mute(!muted)} />;
}

function ControlButton({ icon, label, onClick }: { icon: IconName; label: string; onClick: () => void }) {
  return (
    <button type="button" class="control" aria-label={label} title={label} onClick={onClick}>
      <Icon name={icon} />
    </button>
  );
}

/** Delays above this are shown as late, ms. */
const LATE_MS = 3000;

function Controls({ playback, frame }: Pick<OverProps, "playback" | "frame">) {
  const { facts, muted, volume, phase, way } = playback;
  const stopped = !["playing", "stalled", "connecting"].includes(phase.value);
  const { delay, exact } = facts.value;
  const late = delay !== null && delay > LATE_MS;
  return (
    <div class={phase.value === "playing" ? "controls idle" : "controls"} role="group" aria-label="Player controls">
      <ControlButton icon={stopped ? "play" : "pause"} label={stopped ? "Play (k)" : "Pause (k)"} onClick={() => playback.toggle()} />
      <MuteButton playback={playback} />
      <input
        class="volume"
        type="range"
        min="0"
        max="1"
        step="0.05"
        value={muted.value ? 0 : volume.value}
        aria-label="Volume"
        onInput={(event) => playback.setVolume(Number(event.currentTarget.value))}
      />
      <button type="button" class={late ? "live late" : "live"} onClick={() => playback.live()} title="Go to the live edge (l)">
        <span class="dot" aria-hidden="true" />
        LIVE
        {delay !== null && phase.value === "playing" && (
          <span class="delay">
            {exact ? "" : "≥ "}
            {span(delay)}
          </span>
        )}
      </button>
      <span class="grow" />
      {way.value && <span class="way">{WAYS[way.value]}</span>}
      {document.pictureInPictureEnabled && <ControlButton icon="pip" label="Picture in picture (p)" onClick={() => pictureInPicture(frame.current)} />}
      <ControlButton icon="full" label="Full screen (f)" onClick={() => fullScreen(frame.current)} />
    </div>
  );
}

export function pictureInPicture(frame: HTMLElement | null): void {
  const video = frame?.querySelector("video");
  if (document.pictureInPictureElement) void document.exitPictureInPicture();
  else video?.requestPictureInPicture().catch(() => {});
}

export function fullScreen(frame: HTMLElement | null): void {
  const video = frame?.querySelector("video") as (HTMLVideoElement & { webkitEnterFullscreen?: () => void }) | null | undefined;
  if (document.fullscreenElement) void document.exitFullscreen();
  else if (frame?.requestFullscreen) frame.requestFullscreen().catch(() => {});
  // iPhones have it for the media element alone.
  else video?.webkitEnterFullscreen?.();
}

/** The keys of a player, which is in *frame*. */
export function onPlayerKey(event: KeyboardEvent, playback: Playback, frame: HTMLElement | null): void {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)) return;
  if (event.key === " " && target.tagName === "BUTTON") return;
  const keys: Record<string, () => void> = {
    " ": () => playback.toggle(),
    k: () => playback.toggle(),
    m: () => playback.mute(!playback.muted.value),
    f: () => fullScreen(frame),
    p: () => pictureInPicture(frame),
    l: () => playback.live(),
    ArrowUp: () => playback.setVolume(playback.volume.value + 0.1),
    ArrowDown: () => playback.setVolume(playback.volume.value - 0.1),
  };
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  // The page may listen as well, for keys beside the player.
  event.stopPropagation();
  act();
}
