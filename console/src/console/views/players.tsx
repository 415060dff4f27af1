// Who plays, how late, and a button to disconnect each of them; and who has left.

import { useState } from "preact/hooks";

import { type ClientRow, type EndedRow, ask, askAll } from "../api";
import { bitRate, bytes, day, milliseconds, outputText, span } from "../format";
import { Icon } from "../../ui/icon";
import { Badge, Confirm, Empty, Pager, Trouble } from "../parts";
import { usePoll } from "../poll";
import { link } from "../route";
import { readOnly } from "../site";

const PAGE = 50;

export function Players() {
  const [ended, setEnded] = useState(false);
  return (
    <>
      <div class="segments" role="group" aria-label="Which players">
        <button type="button" aria-pressed={!ended} onClick={() => setEnded(false)}>
          There now
        </button>
        <button type="button" aria-pressed={ended} onClick={() => setEnded(true)}>
          Gone
        </button>
      </div>
      {ended ? <Gone /> : <There />}
    </>
  );
}

/** How a lag shows: in time, behind, or about to be moved on. */
function lagTone(ms: number): string {
  return ms < 500 ? "good" : ms < 3000 ? "warn" : "bad";
}

function There() {
  const [start, setStart] = useState(0);
  const [kicked, setKicked] = useState<ClientRow | null>(null);
  const { value, error, again } = usePoll(() => askAll<ClientRow>(`clients?publish=0&start=${start}`, "clients", PAGE), 2, String(start));
  if (!value) return <Trouble error={error} />;
  const { rows } = value;
  return (
    <>
      <Trouble error={error} />
      {rows.length === 0 ? (
        <Empty icon="players" title="Nobody plays" />
      ) : (
        <table class="rows card">
          <thead>
            <tr>
              <th>Player</th>
              <th>Stream</th>
              <th>Lag</th>
              <th class="number">Rate</th>
              <th class="number">Sent</th>
              <th class="number">There for</th>
              <th>
                <span class="hidden">Disconnect</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((each) => (
              <tr key={each.id}>
                <td data-label="Player">
                  <b>{each.ip}</b> <Badge>{outputText(each.type)}</Badge>
                  {each.state !== "playing" && each.state !== "joined" && each.lag_ms === undefined && <Badge tone="away">{each.state}</Badge>}
                </td>
                <td data-label="Stream">{each.stream ? <a href={link("streams", each.stream)}>{each.url}</a> : each.url || "–"}</td>
                <td data-label="Lag">
                  {each.lag_ms === undefined ? (
                    "–"
                  ) : (
                    <span class={`lag ${lagTone(each.lag_ms)}`}>
                      <svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
                        <rect width={Math.max(4, Math.min(100, each.lag_ms / 50))} height="10" />
                      </svg>
                      {milliseconds(each.lag_ms)}
                      {(each.jumps ?? 0) > 0 && <small class="muted"> {each.jumps} jumps</small>}
                    </span>
                  )}
                </td>
                <td class="number" data-label="Rate">
                  {bitRate(each.kbps.send_30s)}
                </td>
                <td class="number" data-label="Sent">
                  {bytes(each.send_bytes)}
                </td>
                <td class="number" data-label="There for">
                  {span(each.alive)}
                </td>
                <td class="end">
                  {!readOnly.value && (
                    <button type="button" class="quiet danger" title="Disconnect" onClick={() => setKicked(each)}>
                      <Icon name="kick" />
                      <span class="hidden">
                        Disconnect<span class="hidden"> {each.ip} from {each.url || "the server"}</span>
                      </span>
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Pager start={start} count={PAGE} total={value.total} onMove={setStart} />
      {kicked && (
        <Confirm
          title="Disconnect this player?"
          text={`${kicked.ip} stops playing ${kicked.url || "what it asked for"}. It may come again.`}
          action="Disconnect"
          onDone={() => {
            setKicked(null);
            again();
          }}
          run={() => ask(`clients/${kicked.id}`, "DELETE")}
        />
      )}
    </>
  );
}

function Gone() {
  const [start, setStart] = useState(0);
  const { value, error } = usePoll(() => askAll<EndedRow>(`clients?ended=1&start=${start}`, "clients", PAGE), 4, String(start));
  if (!value) return <Trouble error={error} />;
  return (
    <>
      <Trouble error={error} />
      {value.rows.length === 0 ? (
        <Empty icon="players" title="Nobody has left yet" />
      ) : (
        <table class="rows card">
          <thead>
            <tr>
              <th>Client</th>
              <th>Stream</th>
              <th>Why</th>
              <th class="number">Moved</th>
              <th class="number">Was there</th>
              <th class="number">Left</th>
            </tr>
          </thead>
          <tbody>
            {value.rows.map((each) => (
              <tr key={each.id + each.ended_ms}>
                <td data-label="Client">
                  <b>{each.ip}</b> <Badge>{each.publish ? "publisher" : outputText(each.type)}</Badge>
                </td>
                <td data-label="Stream">{each.url || "–"}</td>
                <td data-label="Why">{each.reason}</td>
                <td class="number" data-label="Moved">
                  {bytes(each.send_bytes + each.recv_bytes)}
                </td>
                <td class="number" data-label="Was there">
                  {span(each.alive)}
                </td>
                <td class="number" data-label="Left">
                  {day(each.ended_ms)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Pager start={start} count={PAGE} total={value.total} onMove={setStart} />
    </>
  );
}
