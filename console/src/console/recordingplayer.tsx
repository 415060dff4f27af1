// Plays a recorded file, and cuts a part of it: the server sends it from keyframe to keyframe, with headers.

import { useEffect, useRef, useState } from "preact/hooks";

import { type Recording, authorization } from "./api";
import { saveFile } from "./download";
import { isFlv, openFilm, partAddress, recordingAddress } from "./film";
import { timecode } from "./format";
import { Icon } from "../ui/icon";
import { Dialog, Note } from "./parts";

interface Props {
  recording: Recording;
  /** `?vhost=...`, or empty. */
  query: string;
  onClose: () => void;
}

export function RecordingPlayer({ recording, query, onClose }: Props) {
  const video = useRef<HTMLVideoElement>(null);
  const [problem, setProblem] = useState("");
  const [length, setLength] = useState(recording.duration);
  const [part, setPart] = useState<[number, number]>([0, recording.duration]);
  const [saving, setSaving] = useState(false);
  const [at, setAt] = useState(0);
  const address = recordingAddress(recording);
  const flv = isFlv(recording);
  useEffect(() => {
    const element = video.current;
    if (!element) return undefined;
    let over = false;
    let close: (() => void) | undefined;
    const known = () => {
      if (Number.isFinite(element.duration)) {
        setLength(element.duration);
        setPart((before) => (before[1] ? before : [0, element.duration]));
      }
    };
    element.addEventListener("durationchange", known);
    const begin = async () => {
      close = await openFilm(element, address + query, flv, setProblem);
      if (over) close();
      else await element.play().catch(() => undefined);
    };
    begin().catch((error: Error) => setProblem(error.message));
    return () => {
      over = true;
      element.removeEventListener("durationchange", known);
      close?.();
    };
  }, [address, query, flv]);
  const [from, to] = part;
  const cut = partAddress(recording, query, from, to);
  const ending = flv ? "flv" : "mp4";
  const name = `${recording.id.split("/").pop()?.replace(/\.(flv|mp4).*$/, "")}-${Math.round(from)}-${Math.round(to)}.${ending}`;
  const save = () => {
    setSaving(true);
    saveFile(cut, name)
      .then(
        () => setProblem(""),
        (failure: Error) => setProblem(failure.message),
      )
      .finally(() => setSaving(false));
  };
  return (
    <Dialog title={recording.id} onClose={onClose} wide>
      <video ref={video} controls playsInline class="film" aria-label={recording.id} onTimeUpdate={(event) => setAt(event.currentTarget.currentTime)} />
      {problem && <Note tone="bad">{problem}</Note>}
      {length > 0 && (
        <fieldset class="cut">
          <legend>Cut a clip</legend>
          <label>
            <span>
              From <b>{timecode(from, true)}</b>
            </span>
            <input type="range" min={0} max={length} step={0.1} value={from} onInput={(event) => setPart([Math.min(Number(event.currentTarget.value), to - 0.5), to])} />
          </label>
          <label>
            <span>
              To <b>{timecode(to, true)}</b>
            </span>
            <input type="range" min={0} max={length} step={0.1} value={to} onInput={(event) => setPart([from, Math.max(Number(event.currentTarget.value), from + 0.5)])} />
          </label>
          <div class="actions start">
            <button type="button" onClick={() => setPart([Math.min(at, to - 0.5), to])}>
              Begin here
            </button>
            <button type="button" onClick={() => setPart([from, Math.max(at, from + 0.5)])}>
              End here
            </button>
            <button type="button" class="primary" disabled={saving} onClick={save}>
              <Icon name="download" /> {saving ? "Cutting…" : `Save clip of ${timecode(to - from, true)}`}
            </button>
            {!authorization() && (
              <a class="button" href={address + query} download>
                Whole file
              </a>
            )}
          </div>
          <p class="muted">A clip begins at the keyframe before, so it may be a little longer.</p>
        </fieldset>
      )}
    </Dialog>
  );
}
