// Files that the page saves: asked for with the password of the API, or of another port of this server.

import { authorization } from "./api";

/** Ask for a file; return an address of it within this page. Rejects with a sentence. */
export async function fetchFile(url: string): Promise<string> {
  const mine = new URL(url, location.href).origin === location.origin;
  const answer = await fetch(url, {
    credentials: "omit",
    headers: mine && authorization() ? { Authorization: authorization() } : {},
  });
  if (!answer.ok) throw new Error((await answer.text()).trim() || `the server answers ${answer.status}`);
  return URL.createObjectURL(await answer.blob());
}

/** Ask for a file, and have the browser save it as *name*. Rejects with a sentence. */
export async function saveFile(url: string, name: string): Promise<void> {
  const made = await fetchFile(url);
  const anchor = document.createElement("a");
  anchor.href = made;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(made), 60_000);
}
