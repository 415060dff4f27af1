// Who publishes, how evenly, and what of it will trouble players.

import { useRef, useState } from "preact/hooks";

import { type PublisherRow, ask, askAll, troublesOf } from "../api";
import { Spark } from "../chart";
import { audioText, bitRateParts, bytes, decimal, milliseconds, outputText, span, videoText } from "../format";
import { Icon } from "../../ui/icon";
import { Badge, Confirm, Empty, Figure, Note, Pager, Trouble } from "../parts";
import { SeriesMap, usePoll } from "../poll";
import { link } from "../route";
import { readOnly } from "../site";

const PAGE = 50;

export function Publishers() {
  const [start, setStart] = useState(0);
  const [dropped, setDropped] = useState<PublisherRow | null>(null);
  const rates = useRef(new SeriesMap());
  const last = useRef(new Map<string, [number, number]>());
  const { value, error, again } = usePoll(
    async () => {
      const answer = await askAll<PublisherRow>(`publishers?start=${start}`, "publishers", PAGE);
      const now = Date.now();
      const moved = answer.rows.map((each): [string, number] => {
        const before = last.current.get(each.id);
        const seconds = before ? (now - before[0]) / 1000 : 0;
        return [each.id, before && seconds > 0 ? (8 * (each.recv_bytes - before[1])) / 1000 / seconds : each.kbps.recv_30s];
      });
      last.current = new Map(answer.rows.map((each) => [each.id, [now, each.recv_bytes]]));
      rates.current.update(moved);
      return { ...answer, rates: new Map(moved) };
    },
    2,
    String(start),
  );
  if (!value) return <Trouble error={error} />;
  return (
    <>
      <Trouble error={error} />
      {value.rows.length === 0 && (
        <Empty icon="publishers" title="Nobody publishes">
          <p>
            <a class="button primary" href={link("publish")}>
              How to publish
            </a>
          </p>
        </Empty>
      )}
      <div class="cards">
        {value.rows.map((each) => {
          const [rate, unit] = bitRateParts(value.rates.get(each.id) ?? 0);
          return (
            <article key={each.id} class={`publisher card ${troublesOf(each).length ? "warned" : ""}`}>
              <header>
                <h3>
                  <a href={link("streams", each.stream)}>{each.url}</a>
                </h3>
                {each.role === "backup" && <Badge>backup</Badge>}
                {!each.active && <Badge tone="good">stands by</Badge>}
                {!readOnly.value && (
                  <button type="button" class="quiet danger" aria-label={`Disconnect the publisher of ${each.url}`} title="Disconnect" onClick={() => setDropped(each)}>
                    <Icon name="kick" />
                  </button>
                )}
              </header>
              <p class="muted">
                {each.ip} · {outputText(each.type)} · {span(each.alive)} · {bytes(each.recv_bytes)}
              </p>
              <div class="rate">
                <span class="value">
                  {rate}
                  <small> {unit}</small>
                </span>
                <Spark times={rates.current.of(each.id).times} values={rates.current.of(each.id).values} width={220} height={40} />
              </div>
              {each.active && (
                <dl class="figures">
                  <Figure label="Frame rate" value={each.video ? decimal(each.frame_rate) : "–"} unit={each.video ? "fps" : ""} />
                  <Figure label="Keyframe each" value={each.key_interval_ms ? milliseconds(each.key_interval_ms) : "–"} />
                  <Figure label="Newest keyframe" value={each.key_age_ms === null ? "–" : `${milliseconds(each.key_age_ms)} ago`} />
                  <Figure label="Jitter" value={milliseconds(each.jitter_ms)} />
                  <Figure label="Picture" value={videoText(each.video) || "none"} />
                  <Figure label="Sound" value={audioText(each.audio) || "none"} />
                </dl>
              )}
              {each.warnings.map((warning) => (
                <Note key={warning.kind} tone={warning.kind === "b-frames" ? "info" : "warn"}>
                  <b>{warning.kind}</b>: {warning.message}
                </Note>
              ))}
            </article>
          );
        })}
      </div>
      <Pager start={start} count={PAGE} total={value.total} onMove={setStart} />
      {dropped && (
        <Confirm
          title="Disconnect this publisher?"
          text={`${dropped.url} stops. Its encoder may connect again at once.`}
          action="Disconnect"
          onDone={() => {
            setDropped(null);
            again();
          }}
          run={() => ask(`clients/${dropped.id}`, "DELETE")}
        />
      )}
    </>
  );
}
