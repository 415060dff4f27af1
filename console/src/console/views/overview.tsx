// What goes on now, at one look.

import { useRef, useState } from "preact/hooks";

import { type LogLine, type PublisherRow, type StreamRow, type Summary, ask, askAll, troublesOf } from "../api";
import { Spark, TimeChart } from "../chart";
import { bitRate, bitRateParts, bytes, bytesParts, clock, count, decimal, percent, span } from "../format";
import { Empty, Note, Trouble } from "../parts";
import { usePoll } from "../poll";
import { link } from "../route";
import { StreamCard } from "../streamcard";
import { useTrends } from "../trends";

interface Now {
  summary: Summary;
  streams: { rows: StreamRow[]; total: number };
  publishers: PublisherRow[];
  players: number;
  errors: LogLine[];
  recvKbps: number;
  sendKbps: number;
}

const SPANS: [string, number][] = [
  ["5 min", 300_000],
  ["15 min", 900_000],
  ["1 h", 3_600_000],
];

export function Overview() {
  const before = useRef<{ at: number; received: number; sent: number } | null>(null);
  const [shown, setShown] = useState(900_000);
  const trends = useTrends();
  const { value: now, error } = usePoll<Now>(async () => {
    const [{ data }, streams, publishers, clients, errors] = await Promise.all([
      ask<{ data: Summary }>("summaries"),
      askAll<StreamRow>("streams", "streams", 12),
      askAll<PublisherRow>("publishers", "publishers", 100),
      askAll("clients?publish=0", "clients", 1),
      ask<{ lines: LogLine[] }>("logs?level=warning&count=4").catch(() => ({ lines: [] })),
    ]);
    const { srs_recv_bytes: received, srs_send_bytes: sent } = data.system;
    const last = before.current;
    const seconds = last ? Math.max(0.5, (data.now_ms - last.at) / 1000) : 0;
    before.current = { at: data.now_ms, received, sent };
    const rate = (moved: number) => (seconds ? Math.max(0, (8 * moved) / 1000 / seconds) : 0);
    return {
      summary: data,
      streams,
      publishers: publishers.rows,
      players: clients.total,
      errors: errors.lines,
      recvKbps: last ? rate(received - last.received) : 0,
      sendKbps: last ? rate(sent - last.sent) : 0,
    };
  }, 2);
  if (!now) return <Trouble error={error} />;
  const { self, system } = now.summary;
  const warned = now.publishers.filter((each) => troublesOf(each).length > 0);
  const [outValue, outUnit] = bitRateParts(now.sendKbps);
  const [memory, memoryUnit] = bytesParts(self.mem_kbyte * 1024);
  return (
    <>
      <Trouble error={error} />
      <section class="tiles" aria-label="Now">
        <Tile label="Live streams" value={count(now.streams.total)} href={link("streams")} times={trends.time_ms} values={trends.streams} tone="c1" />
        <Tile label="Players" value={count(now.players)} href={link("players")} times={trends.time_ms} values={trends.players} tone="c2" />
        <Tile label="Sent" value={outValue} unit={outUnit} note={`${bitRate(now.recvKbps)} received`} times={trends.time_ms} values={trends.send_kbps} tone="c3" />
        <Tile label="CPU" value={decimal(self.cpu_percent * 100)} unit="% of a core" note={`machine ${percent(system.cpu_percent)}`} times={trends.time_ms} values={trends.cpu} tone="c4" />
        <Tile label="Memory" value={memory} unit={memoryUnit} note={`${percent(self.mem_percent)} of ${bytes(system.mem_ram_kbyte * 1024)}`} times={trends.time_ms} values={trends.memory_bytes} tone="c1" />
      </section>
      <section aria-labelledby="live">
        <header class="section">
          <h2 id="live">Live now</h2>
          {now.streams.total > now.streams.rows.length && <a href={link("streams")}>all {now.streams.total}</a>}
        </header>
        {now.streams.rows.length === 0 ? (
          <Empty icon="streams" title="Nobody publishes yet">
            <p>
              <a class="button primary" href={link("publish")}>
                How to publish
              </a>
            </p>
          </Empty>
        ) : (
          <div class="wall small">
            {now.streams.rows.map((stream) => (
              <StreamCard key={stream.id} stream={stream} publisher={now.publishers.find((each) => each.stream === stream.id && each.active)} />
            ))}
          </div>
        )}
      </section>
      {warned.length > 0 && (
        <Note tone="warn">
          {warned.slice(0, 3).map((each) => (
            <p key={each.id}>
              <a href={link("publishers")}>{each.url}</a>: {troublesOf(each)[0]?.message}
            </p>
          ))}
          {warned.length > 3 && <a href={link("publishers")}>{warned.length - 3} more publishers have warnings</a>}
        </Note>
      )}
      <section aria-labelledby="trends">
        <header class="section">
          <h2 id="trends">Trends</h2>
          <div class="segments" role="group" aria-label="Time shown">
            {SPANS.map(([name, ms]) => (
              <button key={ms} type="button" aria-pressed={shown === ms} onClick={() => setShown(ms)}>
                {name}
              </button>
            ))}
          </div>
        </header>
        <div class="charts">
          <TimeChart
            title="Bandwidth"
            times={trends.time_ms}
            span={shown}
            format={bitRate}
            least={100}
            lines={[
              { name: "sent", tone: "c3", values: trends.send_kbps },
              { name: "received", tone: "c1", values: trends.recv_kbps },
            ]}
          />
          <TimeChart title="Players" times={trends.time_ms} span={shown} format={count} least={4} unit={4} lines={[{ name: "players", tone: "c2", values: trends.players }]} />
          <TimeChart
            title="CPU"
            times={trends.time_ms}
            span={shown}
            format={(value) => `${decimal(value)} %`}
            least={10}
            lines={[
              { name: "this process", tone: "c4", values: trends.cpu },
              { name: "machine", tone: "c2", values: trends.machine_cpu },
            ]}
          />
          <TimeChart title="Memory" times={trends.time_ms} span={shown} format={bytes} least={1 << 20} unit={1 << 20} lines={[{ name: "resident", tone: "c1", values: trends.memory_bytes }]} />
        </div>
      </section>
      {now.errors.length > 0 && (
        <section aria-labelledby="recent">
          <header class="section">
            <h2 id="recent">Newest warnings of the log</h2>
            <a href={link("logs")}>all lines</a>
          </header>
          <ol class="loglines card">
            {now.errors.map((line) => (
              <li key={line.id} class={line.level}>
                <time>{clock(line.time_ms)}</time>
                <b>{line.level}</b>
                <span>{line.message}</span>
              </li>
            ))}
          </ol>
        </section>
      )}
      <p class="muted foot">
        fastflv {self.version}, running for {span(self.srs_uptime)}
      </p>
    </>
  );
}

interface TileProps {
  label: string;
  value: string;
  unit?: string;
  note?: string;
  href?: string;
  times: number[];
  values: number[];
  tone: string;
}

function Tile({ label, value, unit, note, href, times, values, tone }: TileProps) {
  const inner = (
    <>
      <span class="label">{label}</span>
      <span class="value">
        {value}
        {unit && <small> {unit}</small>}
      </span>
      <span class="muted">{note ?? "\u00a0"}</span>
      <Spark times={times} values={values} newest={60} tone={tone} width={160} height={36} />
    </>
  );
  return href ? (
    <a class="tile card" href={href}>
      {inner}
    </a>
  ) : (
    <div class="tile card">{inner}</div>
  );
}
