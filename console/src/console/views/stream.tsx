// One stream: its picture, where it plays, who watches, and what can be done with it.

import { useRef, useState } from "preact/hooks";

import { Stage } from "../../player/stage";
import { CopyLine } from "../../ui/copy";
import { type Play, type PublisherRow, type StreamRow, ask, askAll, playersOf } from "../api";
import { Spark } from "../chart";
import { ClipMaker } from "../clipmaker";
import { audioText, bitRate, bytes, count, decimal, milliseconds, span, videoText } from "../format";
import { Icon } from "../../ui/icon";
import { Badge, Confirm, Figure, Note, Trouble } from "../parts";
import { Series, usePoll } from "../poll";
import { QrCode } from "../qr";
import { link } from "../route";
import { origin, listeners, pathUrl, readOnly, sourceOfRow, streamOrigin, vhostOf, vhostQuery } from "../site";

interface Recorder {
  recording: boolean;
  file?: string;
  size?: number;
  duration?: number;
}

interface Whole {
  stream: StreamRow;
  publisher: PublisherRow | undefined;
  play: Play;
  recorder: Recorder | null;
}

export function Stream({ id }: { id: string }) {
  const rate = useRef(new Series(90));
  const [dropping, setDropping] = useState(false);
  const { value, error, again } = usePoll<Whole>(
    async () => {
      const [{ stream }, publishers, play] = await Promise.all([
        ask<{ stream: StreamRow }>(`streams/${id}`),
        askAll<PublisherRow>(`publishers?stream=${id}`, "publishers", 10),
        ask<Play>(`streams/${id}/play`),
      ]);
      const query = vhostQuery(play.vhost);
      const recorder = await ask<Recorder>(`${pathUrl("", `/flv/record/status/${stream.app}/${stream.name}`)}${query}`).catch(() => null);
      const publisher = publishers.rows.find((each) => each.active);
      if (publisher) rate.current.add(Date.now(), publisher.kbps.recv_30s);
      return { stream, publisher, play, recorder };
    },
    2,
    id,
  );
  if (!value) {
    return (
      <>
        <Trouble error={error} />
        {error && <a href={link("streams")}>All streams</a>}
      </>
    );
  }
  const { stream, publisher, play, recorder } = value;
  const vhost = vhostOf(stream.vhost);
  const base = streamOrigin();
  const source = sourceOfRow(stream, play);
  return (
    <div class="streamview">
      <header class="section">
        <h2>
          <a href={link("streams")}>Streams</a> <span class="muted">/</span> {stream.url}
        </h2>
        <span>
          {stream.publish.standby && <Badge tone="good">a backup stands by</Badge>}{" "}
          <Badge tone={stream.publish.active ? "live" : "away"}>{stream.publish.active ? "live" : stream.publish.state}</Badge>
        </span>
      </header>
      <Trouble error={error} />
      <div class="twofold">
        <div>
          {typeof source === "string" ? <Note tone="info">{source}</Note> : <Stage source={source} wanted="" />}
          <dl class="figures card">
            <Figure label="Picture" value={videoText(stream.video) || "none"} />
            <Figure label="Sound" value={audioText(stream.audio) || "none"} />
            <Figure label="Frame rate" value={publisher ? decimal(publisher.frame_rate) : "–"} unit="fps" />
            <Figure label="Keyframe each" value={publisher?.key_interval_ms ? milliseconds(publisher.key_interval_ms) : "–"} />
            <Figure label="Jitter" value={publisher ? milliseconds(publisher.jitter_ms) : "–"} />
            <Figure label="Received" value={bytes(stream.recv_bytes)} />
            <Figure label="Sent" value={bytes(stream.send_bytes)} />
            <Figure label="Players" value={count(playersOf(stream))} />
            <div class="figure wide">
              <dt>Bit rate in</dt>
              <dd>
                {bitRate(publisher?.kbps.recv_30s ?? 0)} <Spark times={rate.current.times} values={rate.current.values} />
              </dd>
            </div>
          </dl>
        </div>
        <div class="side">
          {publisher?.warnings.map((each) => (
            <Note key={each.kind} tone={each.kind === "b-frames" ? "info" : "warn"}>
              <b>{each.kind}</b>: {each.message}
            </Note>
          ))}
          <section class="card pad">
            <h3>Record</h3>
            <RecordPart stream={stream} recorder={recorder} vhost={play.vhost} again={again} />
          </section>
          {vhost && vhost.timeshift > 0 && (
            <section class="card pad">
              <h3>Clip</h3>
              <ClipMaker stream={stream} vhost={vhost} alive={publisher?.alive ?? 0} />
            </section>
          )}
          <section class="card pad">
            <h3>Play</h3>
            {vhost?.auth.includes("play") && <Note tone="info">Players need a token: `fastflv token make` writes one.</Note>}
            {!base && <Note tone="info">http_server is off: RTMP alone plays.</Note>}
            {base &&
              play.paths.map((each) =>
                each.refusal ? null : (
                  <CopyLine key={each.path} wrap label={each.container.toUpperCase()} text={pathUrl(base, each.path, vhostQuery(play.vhost))} />
                ),
              )}
            {listeners.value
              .filter((each) => each.scheme === "rtmp")
              .slice(0, 1)
              .map((each) => (
                <CopyLine key="rtmp" wrap label="RTMP" text={pathUrl(origin("rtmp", each.port), `/${stream.app}/${stream.name}`, vhostQuery(play.vhost))} />
              ))}
            {base && play.paths.some((each) => each.container === "hls") && (
              <details>
                <summary>QR code for a phone (HLS)</summary>
                <QrCode
                  text={pathUrl(base, play.paths.find((each) => each.container === "hls")?.path ?? "", vhostQuery(play.vhost))}
                  label={`QR code of the HLS address of ${stream.url}`}
                />
              </details>
            )}
          </section>
          {publisher && (
            <section class="card pad">
              <h3>Publisher</h3>
              <p>
                {publisher.ip} for {span(publisher.alive)}
              </p>
              {!readOnly.value && (
                <button type="button" class="danger" onClick={() => setDropping(true)}>
                  <Icon name="kick" /> Disconnect publisher
                </button>
              )}
            </section>
          )}
        </div>
      </div>
      {dropping && (
        <Confirm
          title="Disconnect the publisher?"
          text={`${stream.url} stops. Its encoder may connect again at once.`}
          action="Disconnect"
          onDone={() => {
            setDropping(false);
            again();
          }}
          run={() => ask(`streams/${id}/publisher`, "DELETE")}
        />
      )}
    </div>
  );
}

interface RecordProps {
  stream: StreamRow;
  recorder: Recorder | null;
  vhost: string;
  again: () => void;
}

function RecordPart({ stream, recorder, vhost, again }: RecordProps) {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  if (!recorder) return <p class="muted">The recording API does not answer for this stream.</p>;
  const act = (verb: string) => {
    setBusy(true);
    ask(`${pathUrl("", `/flv/record/${verb}/${stream.app}/${stream.name}`)}${vhostQuery(vhost)}`, "POST")
      .then(
        () => setProblem(""),
        (failure: Error) => setProblem(failure.message),
      )
      .finally(() => {
        setBusy(false);
        again();
      });
  };
  return (
    <>
      {recorder.recording ? (
        <p>
          <Badge tone="live">recording</Badge> {span(recorder.duration ?? 0)}, {bytes(recorder.size ?? 0)}
        </p>
      ) : (
        <p class="muted">Nothing is recorded from here now.</p>
      )}
      {problem && <Note tone="bad">{problem}</Note>}
      <p class="actions start">
        {!readOnly.value && (
          <button type="button" class={recorder.recording ? "" : "primary"} disabled={busy} onClick={() => act(recorder.recording ? "stop" : "start")}>
            <Icon name={recorder.recording ? "stop" : "record"} /> {recorder.recording ? "Stop recording" : "Start recording"}
          </button>
        )}
        <a class="button" href={link("recordings")}>
          All recordings
        </a>
      </p>
    </>
  );
}
