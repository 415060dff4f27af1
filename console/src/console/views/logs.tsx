// The newest lines of the log, by level and by words in them.

import { useEffect, useRef, useState } from "preact/hooks";

import { type LogLine, ask } from "../api";
import { clock } from "../format";
import { Icon } from "../../ui/icon";
import { Empty, Note, Trouble } from "../parts";
import { usePoll } from "../poll";

const LEVELS: [LogLine["level"], string][] = [
  ["debug", "All"],
  ["info", "Info"],
  ["warning", "Warnings"],
  ["error", "Errors"],
];
const KEPT = 1500;

export function Logs() {
  const [level, setLevel] = useState<LogLine["level"]>("info");
  const [words, setWords] = useState("");
  const [paused, setPaused] = useState(false);
  const lines = useRef<{ level: string; rows: LogLine[]; newest: number }>({ level: "", rows: [], newest: 0 });
  const end = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const { value, error } = usePoll(
    async () => {
      const kept = lines.current;
      if (paused) return kept.rows;
      const fresh = kept.level !== level;
      const answer = await ask<{ lines: LogLine[]; newest: number }>(`logs?level=${level}&after=${fresh ? 0 : kept.newest}`);
      // A server that was started anew counts from 1.
      const again = answer.newest < kept.newest;
      lines.current = { level, newest: answer.newest, rows: [...(fresh || again ? [] : kept.rows), ...answer.lines].slice(-KEPT) };
      return lines.current.rows;
    },
    1.5,
    `${level} ${paused}`,
  );
  const asked = words.toLowerCase();
  const found = (value ?? []).filter((line) => !asked || `${line.message} ${line.client ?? ""} ${line.peer ?? ""} ${line.error ?? ""}`.toLowerCase().includes(asked));
  useEffect(() => {
    if (follows.current) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [found.length, found[found.length - 1]?.id]);
  if (error?.status === 404) {
    return (
      <Empty icon="logs" title="The log is elsewhere">
        <p>A program embeds this server, and has its log.</p>
      </Empty>
    );
  }
  return (
    <div class="logs">
      <div class="toolbar">
        <div class="segments" role="group" aria-label="Least level">
          {LEVELS.map(([each, name]) => (
            <button key={each} type="button" aria-pressed={level === each} onClick={() => setLevel(each)}>
              {name}
            </button>
          ))}
        </div>
        <label class="search">
          <span class="hidden">Search the lines</span>
          <input type="search" placeholder="Words, an address, an id" value={words} onInput={(event) => setWords(event.currentTarget.value)} />
        </label>
        <button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>
          <Icon name={paused ? "play" : "pause"} size={18} /> {paused ? "Go on" : "Pause"}
        </button>
      </div>
      <Trouble error={error} />
      {value && value.length === 0 && <Note tone="good">No line of that level is kept.</Note>}
      <div
        ref={box}
        class="lines card"
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="Lines of the log"
        onScroll={(event) => {
          const at = event.currentTarget;
          follows.current = at.scrollHeight - at.scrollTop - at.clientHeight < 40;
        }}
      >
        <ol class="loglines">
          {found.map((line) => (
            <li key={line.id} class={line.level}>
              <time dateTime={new Date(line.time_ms).toISOString()}>{clock(line.time_ms)}</time>
              <b>{line.level}</b>
              <span>
                {line.client && (
                  <button type="button" class="quiet tag" title="Lines of this connection" onClick={() => setWords(line.client ?? "")}>
                    {line.client}
                  </button>
                )}
                {line.message}
                {line.error && <pre>{line.error}</pre>}
              </span>
            </li>
          ))}
        </ol>
        <div ref={end} />
      </div>
    </div>
  );
}
