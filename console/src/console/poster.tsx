// A picture of a recorded film: one of its first third, drawn once it is seen. The server sends the part around it alone.

import { useEffect, useRef, useState } from "preact/hooks";

import type { Recording } from "./api";
import { isFlv, openFilm, partAddress } from "./film";

/** One film is opened after the other: each takes a decoder for a moment. */
let queue: Promise<void> = Promise.resolve();

const PATIENCE_MS = 8000;

/** Draw the first picture of *address* on *canvas*. Rejects where the browser shows none in time. */
async function draw(address: string, flv: boolean, canvas: HTMLCanvasElement): Promise<void> {
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  const loaded = new Promise<void>((resolve, reject) => {
    video.addEventListener("loadeddata", () => resolve(), { once: true });
    video.addEventListener("error", () => reject(new Error("the browser does not decode it")), { once: true });
    setTimeout(() => reject(new Error("no picture in time")), PATIENCE_MS);
  });
  // Nobody waits for it where the file cannot be opened.
  loaded.catch(() => undefined);
  let close: (() => void) | undefined;
  try {
    close = await openFilm(video, address, flv, () => undefined);
    await loaded;
    canvas.width = 480;
    canvas.height = Math.round((480 * video.videoHeight) / Math.max(1, video.videoWidth)) || 270;
    canvas.getContext("2d")?.drawImage(video, 0, 0, canvas.width, canvas.height);
  } finally {
    close?.();
  }
}

export function Poster({ recording, query }: { recording: Recording; query: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [drawn, setDrawn] = useState(false);
  useEffect(() => {
    const at = canvas.current;
    if (!at || recording.state !== "finished") return undefined;
    const third = recording.duration / 3;
    const address = partAddress(recording, query, third, third + 0.2);
    let over = false;
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some((each) => each.isIntersecting)) return;
      seen.disconnect();
      queue = queue.then(async () => {
        if (over) return;
        await draw(address, isFlv(recording), at).then(
          () => setDrawn(true),
          () => undefined,
        );
      });
    });
    seen.observe(at);
    return () => {
      over = true;
      seen.disconnect();
    };
  }, [recording.id, recording.state, query]);
  return <canvas ref={canvas} class={drawn ? "drawn" : ""} aria-hidden="true" />;
}
