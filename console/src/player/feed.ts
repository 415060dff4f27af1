// The bytes of a stream, by fetch or by WebSocket, and why they ended.
import { type Ending, endingOfAnswer, endingOfClose } from "./ending";

export interface FeedTaker {
  data(chunk: Uint8Array): void;
  ended(ending: Ending): void;
}

export interface Feed {
  close(): void;
}

/** No byte for so long: the connection is lost, though nobody said so, ms. Streams of a still picture send sound or keyframes. */
const SILENCE_MS = 20_000;

/** Open *url*, whose scheme says how. */
export function openFeed(url: string, taker: FeedTaker): Feed {
  const watched = watch(taker, () => feed.close());
  const feed = /^wss?:/.test(url) ? openSocket(url, watched) : openFetch(url, watched);
  return {
    close() {
      watched.stop();
      feed.close();
    },
  };
}

interface Watched extends FeedTaker {
  stop(): void;
}

/** Pass on what comes, one ending at most, and the silence of a peer as an ending. */
function watch(taker: FeedTaker, close: () => void): Watched {
  let over = false;
  let heard = performance.now();
  const stop = () => {
    over = true;
    clearInterval(timer);
  };
  const ended = (ending: Ending) => {
    if (over) return;
    stop();
    taker.ended(ending);
  };
  const timer = setInterval(() => {
    if (performance.now() - heard < SILENCE_MS) return;
    close();
    ended({ why: "The server sent nothing for 20 s.", again: true });
  }, 1000);
  const data = (chunk: Uint8Array) => {
    heard = performance.now();
    if (!over) taker.data(chunk);
  };
  return { data, ended, stop };
}

function openFetch(url: string, taker: FeedTaker): Feed {
  const abort = new AbortController();
  const read = async (): Promise<Ending> => {
    const answer = await fetch(url, { signal: abort.signal, cache: "no-store", referrerPolicy: "no-referrer-when-downgrade" });
    if (!answer.ok || !answer.body) return endingOfAnswer(answer);
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return endingOfClose(1000, "");
      taker.data(value);
    }
  };
  read().then(taker.ended, (error: Error) => {
    if (error.name !== "AbortError") taker.ended({ why: "The connection was lost, or the server does not answer.", again: true });
  });
  return { close: () => abort.abort() };
}

function openSocket(url: string, taker: FeedTaker): Feed {
  let opened = false;
  let closed = false;
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    opened = true;
  };
  socket.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) taker.data(new Uint8Array(data));
  };
  socket.onclose = ({ code, reason }) => {
    if (closed) return;
    if (opened) taker.ended(endingOfClose(code, reason));
    else void explain(url).then(taker.ended);
  };
  return {
    close() {
      closed = true;
      socket.close();
    },
  };
}

/** Ask by HTTP why a handshake failed, which browsers do not say. */
async function explain(url: string): Promise<Ending> {
  const abort = new AbortController();
  try {
    const answer = await fetch(url.replace(/^ws/, "http"), { signal: abort.signal, cache: "no-store" });
    if (!answer.ok) return await endingOfAnswer(answer);
    abort.abort();
    return { why: "The server, or a proxy before it, takes no WebSocket.", again: true };
  } catch {
    return { why: "The server does not answer.", again: true };
  }
}
