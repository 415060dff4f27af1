// A picture of a recorded film: one of its first third, drawn once it is seen. The server sends the part around it alone.

import { useEffect, useRef, useState } from "preact/hooks";

import { loadMpegts } from "../player/flvplay";
import { type Recording, authorization } from "./api";
import { fetchFile } from "./download";

/** One film is opened after the other: each takes a decoder for a moment. */
let queue: Promise<void> = Promise.resolve();

const PATIENCE_MS = 8000;

export function recordingAddress(recording: Recording): string {
  return `/api/v1/recordings/${recording.id.split("/").map(encodeURIComponent).join("/")}`;
}

/** Where a part of a film is. *query*: of its vhost, or empty. */
export function partAddress(recording: Recording, query: string, from: number, to: number): string {
  return `${recordingAddress(recording)}${query ? `${query}&` : "?"}start=${from.toFixed(1)}s&end=${to.toFixed(1)}s`;
}

export function isFlv(recording: Recording): boolean {
  return /\.flv(\.tmp)?$/.test(recording.id);
}

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
  let close = () => undefined as void;
  try {
    if (flv) {
      const mpegts = await loadMpegts();
      const player = mpegts.createPlayer(
        { type: "flv", isLive: false, url: address },
        { enableWorker: false, lazyLoad: false, headers: authorization() ? { Authorization: authorization() } : {} },
      );
      close = () => player.destroy();
      player.attachMediaElement(video);
      player.load();
    } else {
      const made = await fetchFile(address);
      close = () => URL.revokeObjectURL(made);
      video.src = made;
    }
    await loaded;
    canvas.width = 480;
    canvas.height = Math.round((480 * video.videoHeight) / Math.max(1, video.videoWidth)) || 270;
    canvas.getContext("2d")?.drawImage(video, 0, 0, canvas.width, canvas.height);
  } finally {
    close();
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
