// A recorded film in a media element: FLV by mpegts.js, MP4 by the browser; both where the API asks for a password.

import { loadMpegts } from "../player/flvplay";
import { type Recording, authorization } from "./api";
import { fetchFile } from "./download";

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

/** Give *address* to *video*; return what ends it. *failed* is told later failures. */
export async function openFilm(video: HTMLVideoElement, address: string, flv: boolean, failed: (why: string) => void): Promise<() => void> {
  const password = authorization();
  if (flv) {
    const mpegts = await loadMpegts();
    const player = mpegts.createPlayer({ type: "flv", isLive: false, url: address }, { enableWorker: false, headers: password ? { Authorization: password } : {} });
    player.on(mpegts.Events.ERROR, (kind: string, detail: string) => failed(`${kind}: ${detail}`));
    player.attachMediaElement(video);
    player.load();
    return () => player.destroy();
  }
  if (!password) {
    video.src = address;
    return () => video.removeAttribute("src");
  }
  // The element itself cannot send the password.
  const made = await fetchFile(address);
  video.src = made;
  return () => URL.revokeObjectURL(made);
}
