// How to publish: addresses to copy, a QR code for phones, the words for OBS and ffmpeg.

import { useState } from "preact/hooks";

import { Note } from "../parts";
import { CopyLine } from "../../ui/copy";
import { QrCode } from "../qr";
import { DEFAULT_VHOST, listeners, origin, pathUrl, streamOrigin, vhostQuery, vhosts } from "../site";

/** A loopback host is of no use to a phone. */
function isHere(host: string): boolean {
  return host === "localhost" || host.startsWith("127.") || host === "[::1]" || host === "::1";
}

export function Publish() {
  const [host, setHost] = useState(location.hostname);
  const [vhost, setVhost] = useState(DEFAULT_VHOST);
  const [app, setApp] = useState("live");
  const [stream, setStream] = useState("livestream");
  const [token, setToken] = useState("");
  const known = vhosts.value.find((each) => each.name === vhost);
  const needsToken = known?.auth.includes("publish") ?? false;
  const query = vhostQuery(vhost, needsToken && token ? `token=${encodeURIComponent(token)}` : "");
  const rtmp = listeners.value.filter((each) => each.scheme.startsWith("rtmp"));
  const first = rtmp[0];
  const server = first ? pathUrl(origin(first.scheme, first.port, host), `/${app}`) : "";
  const key = encodeURIComponent(stream) + query;
  const address = `${server}/${key}`;
  const http = listeners.value.find((each) => each.streams && each.scheme.startsWith("http"));
  const page = streamOrigin();
  return (
    <div class="twofold publish">
      <div>
        <section class="card pad">
          <h2>Which stream</h2>
          <div class="fields">
            <label>
              Server
              <input type="text" value={host} spellcheck={false} onInput={(event) => setHost(event.currentTarget.value.trim())} />
            </label>
            {vhosts.value.length > 1 && (
              <label>
                Vhost
                <select value={vhost} onChange={(event) => setVhost(event.currentTarget.value)}>
                  {vhosts.value.map((each) => (
                    <option key={each.id}>{each.name}</option>
                  ))}
                </select>
              </label>
            )}
            <label>
              App
              <input type="text" value={app} spellcheck={false} onInput={(event) => setApp(event.currentTarget.value.trim())} />
            </label>
            <label>
              Stream
              <input type="text" value={stream} spellcheck={false} onInput={(event) => setStream(event.currentTarget.value.trim())} />
            </label>
            {needsToken && (
              <label class="wide">
                Token
                <input type="text" value={token} spellcheck={false} placeholder="eyJ…" onInput={(event) => setToken(event.currentTarget.value.trim())} />
              </label>
            )}
          </div>
          {needsToken && !token && (
            <Note tone="info">
              Publishing needs a token. <code>fastflv token make --key SECRET --path {app}/{stream} --action publish --for 12h</code> writes one.
            </Note>
          )}
          {isHere(host) && <Note tone="info">{host} is this machine alone. Write the name or address by which encoders reach it.</Note>}
        </section>
        {!first && <Note tone="warn">No RTMP port is open (listen).</Note>}
        {first && (
          <>
            <section class="card pad">
              <h2>OBS Studio</h2>
              <p class="muted">Settings → Stream → Service: Custom</p>
              <CopyLine label="Server" text={server} />
              <CopyLine label="Stream Key" text={key} />
              <p class="muted">Output: keyframe interval 2 s, tune zerolatency, no B-frames, for the least delay.</p>
            </section>
            <section class="card pad">
              <h2>ffmpeg</h2>
              <CopyLine label="a file" wrap text={`ffmpeg -re -stream_loop -1 -i film.mp4 -c copy -f flv '${address}'`} />
              <CopyLine
                label="a test picture"
                wrap
                text={`ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440 -c:v libx264 -preset veryfast -tune zerolatency -g 60 -b:v 2500k -c:a aac -f flv '${address}'`}
              />
              <CopyLine
                label="a camera (Linux)"
                wrap
                text={`ffmpeg -f v4l2 -framerate 30 -video_size 1280x720 -i /dev/video0 -f alsa -i default -c:v libx264 -preset veryfast -tune zerolatency -g 60 -b:v 2500k -c:a aac -f flv '${address}'`}
              />
              {http && <CopyLine label="over HTTP" wrap text={`ffmpeg -re -i film.mp4 -c copy -f flv '${pathUrl(origin(http.scheme, http.port, host), `/${app}/${stream}.flv`, query)}'`} />}
            </section>
          </>
        )}
      </div>
      <aside class="side">
        {first && (
          <section class="card pad center">
            <h2>Phone</h2>
            <QrCode text={address} label={`QR code of ${address}`} />
            <p class="muted">An app that publishes RTMP (Larix, Streamlabs, Prism) takes the address from this code.</p>
            {rtmp.map((each) => (
              <CopyLine key={each.scheme + each.port} label={each.scheme.toUpperCase()} text={`${pathUrl(origin(each.scheme, each.port, host), `/${app}`)}/${key}`} />
            ))}
          </section>
        )}
        {page && (
          <section class="card pad">
            <h2>Then watch it</h2>
            <p>
              <a class="button primary" href={`${page}/players/?stream=${encodeURIComponent(`${app}/${stream}`)}`} target="_blank" rel="noopener">
                Player page
              </a>
            </p>
          </section>
        )}
      </aside>
    </div>
  );
}
