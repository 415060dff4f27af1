// One player: what to play, the picture, what is measured, and how to share it.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type LiveStream, describe, failure, listing } from "../live/streams";
import { nameOf } from "../player/decodable";
import type { Facts } from "../player/facts";
import type { Playback } from "../player/playback";
import { type Source, WAYS, type Way, keyOf, sourceOf, sourceOfUrl } from "../player/source";
import { Stage, onPlayerKey } from "../player/stage";
import { Chart } from "../ui/chart";
import { CopyLine } from "../ui/copy";
import { Icon } from "../ui/icon";
import { bitRate, span } from "../ui/units";
import { type Address, address, go, linkTo } from "./address";
import { openQuery, openUrl } from "./sharing";

/** What the address asks for: a source, a sentence why there is none, or null before the list is there. */
export function sourceOfAddress(asked: Address, streams: LiveStream[] | undefined): Source | string | null {
  if (asked.url) return sourceOfUrl(asked.url);
  const found = streams?.find((each) => !asked.stream || keyOf(each) === asked.stream);
  if (found) return sourceOf(found);
  // It may begin later, or its name may not be for all: its usual address is tried.
  if (!asked.stream || !streams) return null;
  const usual = sourceOfUrl(`/${encodeURI(asked.stream)}.flv${asked.rest ? `?${asked.rest}` : ""}`);
  return typeof usual === "string" ? usual : { ...usual, title: asked.stream };
}

export function Single() {
  const asked = address.value;
  const kept = useRef<{ asked: Address; source: Source } | null>(null);
  const found = sourceOfAddress(asked, listing.value?.streams);
  // A stream that ends leaves the list; the player goes on asking for it.
  if (typeof found === "object" && found && (kept.current?.asked !== asked || (found.stream && !kept.current.source.stream))) {
    kept.current = { asked, source: found };
  }
  if (kept.current?.asked !== asked) kept.current = null;
  const source = kept.current?.source ?? null;
  const playback = useSignal<Playback | null>(null);
  const frame = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => playback.value && onPlayerKey(event, playback.value, frame.current?.querySelector(".stage") ?? null);
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  useEffect(() => {
    document.title = source ? `${source.title} · fastflv` : "Player · fastflv";
  }, [source?.title]);

  const stage = source ? (
    <Stage key={asked.url || source.title} source={source} wanted={asked.way} onReady={(made) => (playback.value = made)} />
  ) : (
    <div class="stage">
      <div class="said" role="status">
        <p class="card">{typeof found === "string" ? found : emptySentence()}</p>
      </div>
    </div>
  );
  if (asked.embed) {
    return (
      <main class="embed" ref={frame}>
        <h1 class="hidden">{source?.title || "Player"}</h1>
        {stage}
      </main>
    );
  }
  return (
    <main class="page players">
      <h1 class="hidden">Player</h1>
      <div class="side">
        <Chooser />
      </div>
      <div class="main" ref={frame}>
        {stage}
        <div class="row title">
          <h2 class="grow">{source?.title ?? "No stream"}</h2>
          {source && <Ways source={source} playback={playback.value} />}
        </div>
        {playback.value && source && <Measured facts={playback.value.facts.value} playing={playback.value.phase.value === "playing"} />}
        {source && <Share source={source} />}
      </div>
    </main>
  );
}

function emptySentence(): string {
  if (failure.value) return `No list of streams: ${failure.value}.`;
  if (!listing.value) return "Looking for streams…";
  if (!listing.value.listed) return "This server does not list its streams. Paste the address of one.";
  return "No stream is live. Publish one, and it plays here by itself.";
}

function Chooser() {
  const typed = useSignal(address.value.url);
  const wanted = useSignal("");
  const all = listing.value?.streams ?? [];
  const streams = all.filter((each) => keyOf(each).toLowerCase().includes(wanted.value.toLowerCase()));
  const current = address.value.url ? "" : address.value.stream || (all[0] ? keyOf(all[0]) : "");
  return (
    <>
      <section class="panel chooser" aria-labelledby="streams">
        <div class="row">
          <h2 id="streams" class="grow">
            Live now
          </h2>
          <button type="button" onClick={() => go({ wall: 2, url: "" })}>
            <Icon name="grid" size={17} /> Wall
          </button>
        </div>
        {all.length > 8 && (
          <input type="search" placeholder="Find a stream" aria-label="Find a stream" onInput={(event) => (wanted.value = event.currentTarget.value)} />
        )}
        <ul>
          {streams.map((each) => (
            <li key={each.url}>
              <button type="button" aria-pressed={keyOf(each) === current} onClick={() => go({ stream: keyOf(each), url: "" })}>
                <strong>{keyOf(each)}</strong>
                <span class="muted">{describe(each)}</span>
              </button>
            </li>
          ))}
        </ul>
        {!streams.length && <p class="muted">{all.length ? "No stream has that in its name." : emptySentence()}</p>}
      </section>
      <form
        class="panel paste"
        onSubmit={(event) => {
          event.preventDefault();
          if (typed.value.trim()) go({ url: typed.value.trim() });
        }}
      >
        <label for="address">Or paste an address</label>
        <div class="row">
          <input id="address" class="grow" type="text" inputMode="url" placeholder="http://…/live/name.flv" spellcheck={false} value={typed.value} onInput={(event) => (typed.value = event.currentTarget.value)} />
          <button type="submit" class="primary">
            Play
          </button>
        </div>
      </form>
      <p class="muted keys">
        <kbd>k</kbd> pause <kbd>m</kbd> sound <kbd>l</kbd> live edge <kbd>f</kbd> full screen <kbd>↑</kbd>
        <kbd>↓</kbd> volume
      </p>
    </>
  );
}

function Ways({ source, playback }: { source: Source; playback: Playback | null }) {
  const ways = Object.keys(source.urls) as Way[];
  return (
    <div class="row ways" role="group" aria-label="Output">
      {ways.map((way) => (
        <button type="button" key={way} aria-pressed={playback?.way.value === way} onClick={() => go({ way })}>
          {WAYS[way]}
        </button>
      ))}
    </div>
  );
}

function Measured({ facts, playing }: { facts: Facts; playing: boolean }) {
  const { delay, exact, width, height, video, audio, dropped, frames, fps, gop } = facts;
  const none = "–";
  const rows: [string, string, string][] = [
    ["Delay", delay === null || !playing ? none : `${exact ? "" : "≥ "}${span(delay)}`, exact ? "by the clock in the stream" : "what is buffered here; the stream has no clock"],
    ["Buffer", `${facts.buffer.toFixed(2)} s`, facts.rate > 1 ? "catching up" : "ahead of the picture"],
    ["Dropped", `${dropped}`, `of ${frames} frames`],
    ["Picture", video ? (codecOf(video) ?? video) : none, width ? `${width}×${height}, ${Math.round(fps)} fps${gop ? `, keyframe each ${gop.toFixed(1)} s` : ""}` : ""],
    ["Sound", audio ? (codecOf(audio) ?? audio) : none, ""],
    ["First picture", facts.first === null ? none : span(facts.first), facts.reconnects ? `${facts.reconnects} reconnects` : "after the start"],
  ];
  return (
    <section class="panel measured" aria-label="Measured">
      <Chart label="Bit rate" values={facts.rates} text={bitRate} />
      <dl>
        {rows.map(([name, value, more]) => (
          <div key={name}>
            <dt class="muted">{name}</dt>
            <dd>
              <strong>{value}</strong>
              <span class="muted">{more}</span>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function codecOf(codec: string): string {
  return nameOf(codec.replace(/^(avc1|hvc1|hev1|av01|vp09|mp4a)\..*/, (_, name: string) => ({ avc1: "H264", hvc1: "HEVC", hev1: "HEVC", av01: "AV1", vp09: "VP9", mp4a: "AAC" })[name] ?? name));
}

function Share({ source }: { source: Source }) {
  const { url, rest, stream } = address.value;
  const here = { ...address.value, wall: 0, embed: false, url: url && openUrl(url), rest: openQuery(rest), stream: url ? "" : stream || source.title };
  const framed = linkTo({ ...here, embed: true });
  const whole = source.urls.http ?? source.urls.hls ?? "";
  const plain = whole && openUrl(whole);
  const reduced = here.url !== url || here.rest !== rest || plain !== whole;
  return (
    <section class="panel share" aria-labelledby="share">
      <h2 id="share">Share</h2>
      {reduced && <p class="muted left">Your token and other parameters of yours are left out: whoever opens these addresses needs their own.</p>}
      <CopyLine label="Link" text={linkTo(here)} />
      <CopyLine
        label="Embed"
        text={`<iframe src="${framed.replaceAll("&", "&amp;").replaceAll('"', "&quot;")}" width="640" height="360" allow="autoplay; fullscreen; picture-in-picture" style="border:0"></iframe>`}
      />
      {plain && <CopyLine label="VLC, ffplay" text={plain} />}
      {source.stream?.rtmp && <CopyLine label="RTMP" text={source.stream.rtmp} />}
    </section>
  );
}
