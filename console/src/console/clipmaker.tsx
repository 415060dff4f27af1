// Clips of the past of a live stream (`timeshift`): how far back, how long, and the file.

import { useEffect, useState } from "preact/hooks";

import type { StreamRow, VhostRow } from "./api";
import { fetchFile, saveFile } from "./download";
import { span } from "./format";
import { Icon } from "../ui/icon";
import { Note } from "./parts";
import { pathUrl, streamOrigin, vhostQuery } from "./site";

interface Props {
  stream: StreamRow;
  vhost: VhostRow;
  /** How long the publisher is there, seconds: there is no older past. */
  alive: number;
}

export function ClipMaker({ stream, vhost, alive }: Props) {
  const most = Math.max(1, Math.floor(Math.min(vhost.timeshift, alive)));
  const [wanted, setBack] = useState(30);
  const [length, setLength] = useState(30);
  const [form, setForm] = useState("mp4");
  const [shown, setShown] = useState("");
  const [saving, setSaving] = useState(false);
  const [problem, setProblem] = useState("");
  const back = Math.min(wanted, most);
  const long = Math.min(length, back);
  const address = (ending: string) =>
    pathUrl(streamOrigin(), `/clip/${stream.app}/${stream.name}.${ending}`, vhostQuery(vhost.name, `from=-${back}${back > long ? `&to=-${back - long}` : ""}`));
  useEffect(() => () => URL.revokeObjectURL(shown), [shown]);
  const show = () => {
    fetchFile(address("mp4")).then(
      (made) => {
        setShown(made);
        setProblem("");
      },
      (failure: Error) => setProblem(failure.message),
    );
  };
  const save = () => {
    setSaving(true);
    saveFile(address(form), `${stream.name}-${new Date().toISOString().slice(0, 19).replace(/:/g, "")}.${form}`)
      .then(
        () => setProblem(""),
        (failure: Error) => setProblem(failure.message),
      )
      .finally(() => setSaving(false));
  };
  return (
    <form class="clip" onSubmit={(event) => event.preventDefault()}>
      <label>
        <span>
          Begins <b>{span(back)}</b> ago
        </span>
        <input type="range" min={1} max={most} value={back} onInput={(event) => setBack(Number(event.currentTarget.value))} />
      </label>
      <label>
        <span>
          Lasts <b>{span(long)}</b>
        </span>
        <input type="range" min={1} max={back} value={long} onInput={(event) => setLength(Number(event.currentTarget.value))} />
      </label>
      <div class="actions start">
        <button type="button" onClick={show}>
          <Icon name="play" size={18} /> Show
        </button>
        <select aria-label="Form of the file" value={form} onChange={(event) => setForm(event.currentTarget.value)}>
          <option value="mp4">MP4</option>
          <option value="flv">FLV</option>
          <option value="ts">TS</option>
        </select>
        <button type="button" class="primary" disabled={saving} onClick={save}>
          <Icon name="download" size={18} /> {saving ? "Cutting…" : "Save clip"}
        </button>
      </div>
      {problem && <Note tone="bad">{problem}</Note>}
      {shown && <video class="film" src={shown} controls autoPlay muted playsInline aria-label={`Clip of ${stream.url}`} onError={() => setProblem("the clip does not play here; save it")} />}
    </form>
  );
}
