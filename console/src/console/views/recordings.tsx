// Recordings: watched, cut to a clip, saved, deleted.

import { useState } from "preact/hooks";

import { type Recording, ask, askAll } from "../api";
import { bytes, day, span } from "../format";
import { Icon } from "../../ui/icon";
import { Badge, Confirm, Empty, Pager, Trouble } from "../parts";
import { usePoll } from "../poll";
import { recordingAddress } from "../film";
import { Poster } from "../poster";
import { RecordingPlayer } from "../recordingplayer";
import { link } from "../route";
import { DEFAULT_VHOST, readOnly, vhostQuery, vhosts } from "../site";

const PAGE = 24;

/** `live/x.1764421.flv` as app and stream, and what follows. */
function nameOf(id: string): string {
  return id.replace(/\.(flv|mp4)(\.tmp)?$/, "");
}

export function Recordings() {
  const [start, setStart] = useState(0);
  const [vhost, setVhost] = useState(DEFAULT_VHOST);
  const [shown, setShown] = useState<Recording | null>(null);
  const [deleted, setDeleted] = useState<Recording | null>(null);
  const query = vhost === DEFAULT_VHOST ? "" : `&vhost=${encodeURIComponent(vhost)}`;
  const { value, error, again } = usePoll(
    () => askAll<Recording>(`recordings?start=${start}${query}`, "recordings", PAGE),
    5,
    `${start} ${vhost}`,
  );
  return (
    <>
      {vhosts.value.length > 1 && (
        <label class="pick">
          Vhost
          <select
            value={vhost}
            onChange={(event) => {
              setVhost(event.currentTarget.value);
              setStart(0);
            }}
          >
            {vhosts.value.map((each) => (
              <option key={each.id}>{each.name}</option>
            ))}
          </select>
        </label>
      )}
      <Trouble error={error} />
      {value && value.rows.length === 0 && (
        <Empty icon="recordings" title="Nothing is recorded yet">
          <p>
            {!readOnly.value && (
              <>
                Open a <a href={link("streams")}>stream</a> and start its recording.{" "}
              </>
            )}
            <code>dvr</code> in the configuration records all streams of a vhost.
          </p>
        </Empty>
      )}
      <div class="wall">
        {value?.rows.map((each) => (
          <article key={each.id} class="recording card">
            <button type="button" class="poster" aria-label={`Play ${each.id}`} disabled={each.state === "broken"} onClick={() => setShown(each)}>
              {each.codecs.length > 0 && <Poster recording={each} query={vhostQuery(vhost)} />}
              <Icon name="play" size={44} />
              <span class="length">{each.duration ? span(each.duration) : "–"}</span>
              {each.state !== "finished" && (
                <span class="corner">
                  <Badge tone={each.state === "recording" ? "live" : "bad"}>{each.state}</Badge>
                </span>
              )}
            </button>
            <div class="about">
              <b>{nameOf(each.id)}</b>
              <span class="muted">
                {[bytes(each.size), each.codecs.join(" + "), day(each.changed * 1000)].filter(Boolean).join(" · ")}
              </span>
              <span class="actions start">
                <button type="button" disabled={each.state === "broken"} onClick={() => setShown(each)}>
                  <Icon name="clip" size={16} /> Play and cut
                </button>
                {!readOnly.value && each.state !== "recording" && (
                  <button type="button" class="quiet danger" aria-label={`Delete ${each.id}`} title="Delete" onClick={() => setDeleted(each)}>
                    <Icon name="trash" size={18} />
                  </button>
                )}
              </span>
            </div>
          </article>
        ))}
      </div>
      {value && <Pager start={start} count={PAGE} total={value.total} onMove={setStart} />}
      {shown && <RecordingPlayer recording={shown} query={vhostQuery(vhost)} onClose={() => setShown(null)} />}
      {deleted && (
        <Confirm
          title="Delete this recording?"
          text={`${deleted.id} (${bytes(deleted.size)}) is removed from the disk for good.`}
          action="Delete"
          onDone={() => {
            setDeleted(null);
            again();
          }}
          run={() => ask(`${recordingAddress(deleted)}${vhostQuery(vhost)}`, "DELETE")}
        />
      )}
    </>
  );
}
