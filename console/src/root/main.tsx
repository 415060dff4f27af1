// The root page: what this is, the stream that is live, and the way to all else.
import { useSignal } from "@preact/signals";
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { type LiveStream, describe, failure, follow, listing } from "../live/streams";
import { HAS_MSE } from "../player/decodable";
import { loadMpegts } from "../player/flvplay";
import { type Source, keyOf, sourceOf } from "../player/source";
import { openQuery, openUrl } from "../players/sharing";
import { Stage } from "../player/stage";
import "../style/base.css";
import { CopyLine } from "../ui/copy";
import { Header } from "../ui/header";
import "./root.css";

if (HAS_MSE) loadMpegts().catch(() => undefined);

/** What the viewer brings, such as a token: it goes along. */
const BROUGHT = location.search.slice(1);
const MORE = BROUGHT && `&${BROUGHT}`;

/** Without a stream the page shows how to publish this one. */
const EXAMPLE = "live/livestream";

function Root() {
  useEffect(() => follow("players/streams.json", BROUGHT), []);
  const said = listing.value;
  const streams = said?.streams ?? [];
  const shown = useSignal<Source | null>(null);
  const first = streams[0];
  if (!shown.value && first) shown.value = sourceOf(first);
  const source = shown.value;
  return (
    <>
      <Header place="root" console={said?.console}>
        <span class="version">{said?.server}</span>
      </Header>
      <main class="page root">
        <section class="intro">
          <h1>Live streams from this server</h1>
          <p class="muted">
            fastflv takes RTMP, and FLV by HTTP, WebSocket or TCP, and plays each stream as HTTP-FLV, WebSocket-FLV, HTTP-TS, HLS and RTMP at the same time.
          </p>
        </section>
        {failure.value && (
          <p class="notice" role="alert">
            No list of streams: {failure.value}.
          </p>
        )}
        {source && (
          <section class="now" aria-label={`Preview of ${source.title}`}>
            <Stage source={source} wanted="" />
          </section>
        )}
        <section class="list" aria-labelledby="live">
          <div class="row">
            <h2 id="live" class="grow">
              {said ? (said.listed ? (streams.length ? "Live now" : "No stream is live") : "Streams are not listed") : "Looking for streams…"}
            </h2>
            {streams.length > 1 && (
              <a class="button" href={`players/?wall=${streams.length > 4 ? (streams.length > 9 ? 4 : 3) : 2}${MORE}`}>
                All on a wall
              </a>
            )}
          </div>
          {said && !said.listed && <p class="muted">The API of this server asks for a password, so names of streams are not shown here. The player takes an address.</p>}
          <ul class="cards">
            {streams.map((each) => (
              <Card key={each.url} stream={each} current={source?.title === keyOf(each)} show={() => (shown.value = sourceOf(each))} />
            ))}
          </ul>
          {said?.listed && !streams.length && <Publish />}
        </section>
        {streams.length > 0 && <Publish />}
      </main>
    </>
  );
}

function Card({ stream, current, show }: { stream: LiveStream; current: boolean; show: () => void }) {
  const key = keyOf(stream);
  return (
    <li class="panel card">
      <div class="row">
        <span class="badge live">LIVE</span>
        <h3 class="grow">{key}</h3>
      </div>
      <p class="muted">{describe(stream)}</p>
      <div class="row">
        <a class="button primary" href={`players/?stream=${encodeURIComponent(key).replaceAll("%2F", "/")}${MORE}`}>
          Open in the player
        </a>
        <button type="button" aria-pressed={current} onClick={show}>
          Preview
        </button>
      </div>
      <details>
        <summary>Addresses</summary>
        {openQuery(BROUGHT) !== BROUGHT && <p class="muted">Your token and other parameters of yours are left out.</p>}
        {stream.outputs.map((each) => (
          <CopyLine key={each.path} label={each.container.toUpperCase()} text={openUrl(each.path)} />
        ))}
        {stream.rtmp && <CopyLine label="RTMP" text={stream.rtmp} />}
      </details>
    </li>
  );
}

function Publish() {
  const rtmp = listing.value?.streams[0]?.rtmp.replace(/\/[^/]*\/[^/]*$/, "") || `rtmp://${location.hostname}`;
  return (
    <section class="panel publish" aria-labelledby="publish">
      <h2 id="publish">Publish your own</h2>
      <CopyLine label="OBS server" text={`${rtmp}/live`} />
      <CopyLine label="Stream key" text="mystream" />
      <CopyLine label="ffmpeg" text={`ffmpeg -re -i clip.mp4 -c copy -f flv ${rtmp}/${listing.value?.streams.length ? "live/mystream" : EXAMPLE}`} />
    </section>
  );
}

render(<Root />, document.getElementById("app")!);
