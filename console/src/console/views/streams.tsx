// All streams as pictures.

import { useState } from "preact/hooks";

import { type PublisherRow, type StreamRow, askAll } from "../api";
import { Empty, Pager, Trouble } from "../parts";
import { usePoll } from "../poll";
import { link } from "../route";
import { StreamCard } from "../streamcard";

const PAGE = 60;

export function Streams() {
  const [start, setStart] = useState(0);
  const [words, setWords] = useState("");
  const { value, error } = usePoll(
    async () => {
      const [streams, publishers] = await Promise.all([
        askAll<StreamRow>(`streams?start=${start}`, "streams", PAGE),
        askAll<PublisherRow>("publishers", "publishers", 120),
      ]);
      return { ...streams, publishers: new Map(publishers.rows.filter((each) => each.active).map((each) => [each.stream, each])) };
    },
    3,
    String(start),
  );
  if (!value) return <Trouble error={error} />;
  const found = value.rows.filter((each) => each.url.toLowerCase().includes(words.toLowerCase()));
  return (
    <>
      <Trouble error={error} />
      {value.total > 6 && (
        <label class="search">
          <span class="hidden">Search streams</span>
          <input type="search" placeholder="Search streams" value={words} onInput={(event) => setWords(event.currentTarget.value)} />
        </label>
      )}
      {value.total === 0 ? (
        <Empty icon="streams" title="Nobody publishes yet">
          <p>
            <a class="button primary" href={link("publish")}>
              How to publish
            </a>
          </p>
        </Empty>
      ) : (
        <div class="wall">
          {found.map((stream) => (
            <StreamCard key={stream.id} stream={stream} publisher={value.publishers.get(stream.id)} />
          ))}
        </div>
      )}
      <Pager start={start} count={PAGE} total={value.total} onMove={setStart} />
    </>
  );
}
