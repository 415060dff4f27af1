// What the address of the page says, and how it is changed without a new page.
import { signal } from "@preact/signals";
import type { Way } from "../player/source";

export interface Address {
  /** `app/stream` of this server; empty: the first one. */
  stream: string;
  /** A pasted address; empty: none. */
  url: string;
  way: Way | "";
  /** Columns of the wall; 0: one player. */
  wall: number;
  /** In a frame of another page: the player alone. */
  embed: boolean;
  /** Further parameters, such as a token: they go to the server with each play. */
  rest: string;
}

const OWN = ["stream", "url", "way", "wall", "embed"];
export const WALL_MAX = 6;

function read(): Address {
  const query = new URLSearchParams(location.search);
  const way = query.get("way") ?? "";
  const wall = Number(query.get("wall") ?? 0);
  const rest = new URLSearchParams([...query].filter(([name]) => !OWN.includes(name)));
  return {
    stream: query.get("stream") ?? "",
    url: query.get("url") ?? "",
    way: ["ws", "http", "hls"].includes(way) ? (way as Way) : "",
    wall: wall >= 1 && wall <= WALL_MAX ? Math.floor(wall) : 0,
    embed: query.get("embed") === "1",
    rest: rest.toString(),
  };
}

export const address = signal<Address>(read());

/** The address of the page as *wanted*, to share. */
export function linkTo(wanted: Address): string {
  const query = new URLSearchParams();
  if (wanted.url) query.set("url", wanted.url);
  else if (wanted.stream) query.set("stream", wanted.stream);
  if (wanted.way) query.set("way", wanted.way);
  if (wanted.wall) query.set("wall", String(wanted.wall));
  if (wanted.embed) query.set("embed", "1");
  const text = [query.toString().replaceAll("%2F", "/"), wanted.rest].filter(Boolean).join("&");
  return `${location.origin}${location.pathname}${text ? `?${text}` : ""}`;
}

/** Go to another view; the back button returns. */
export function go(change: Partial<Address>): void {
  const wanted = { ...address.value, ...change };
  if (linkTo(wanted) !== location.href) history.pushState(null, "", linkTo(wanted));
  address.value = wanted;
}

addEventListener("popstate", () => {
  address.value = read();
});
