// A wall of streams. Tiles share the connection of the page where that is HTTP/2; else each is a WebSocket, which does not count among the
// six connections that a browser opens to a host.
import { useSignal } from "@preact/signals";
import { listing } from "../live/streams";
import { keyOf, sourceOf } from "../player/source";
import { Stage } from "../player/stage";
import { WALL_MAX, address, go } from "./address";
import { sharesConnection } from "./connection";

export function Wall() {
  const { wall, way } = address.value;
  const wanted = way || (sharesConnection() ? "http" : "ws");
  const page = useSignal(0);
  const all = listing.value?.streams ?? [];
  const size = wall * wall;
  const pages = Math.max(1, Math.ceil(all.length / size));
  const at = Math.min(page.value, pages - 1);
  const shown = all.slice(at * size, at * size + size);
  return (
    <main class="page wall">
      <div class="row">
        <h1 class="grow">Wall</h1>
        <div class="row" role="group" aria-label="Size of the wall">
          {Array.from({ length: WALL_MAX - 1 }, (_, n) => n + 2).map((count) => (
            <button type="button" key={count} aria-pressed={count === wall} onClick={() => go({ wall: count })}>
              {count}×{count}
            </button>
          ))}
        </div>
        {pages > 1 && (
          <div class="row" role="group" aria-label="Streams">
            <button type="button" disabled={at === 0} onClick={() => (page.value = at - 1)}>
              Back
            </button>
            <span class="muted">
              {at * size + 1} to {Math.min(all.length, (at + 1) * size)} of {all.length}
            </span>
            <button type="button" disabled={at === pages - 1} onClick={() => (page.value = at + 1)}>
              Next
            </button>
          </div>
        )}
        <button type="button" onClick={() => go({ wall: 0 })}>
          One player
        </button>
      </div>
      <ul class={`tiles across${wall}`}>
        {shown.map((each) => (
          <li key={keyOf(each)}>
            <Stage tile source={sourceOf(each)} wanted={wanted} onOpen={() => go({ wall: 0, stream: keyOf(each), url: "" })} />
          </li>
        ))}
        {Array.from({ length: Math.max(0, size - shown.length) }, (_, n) => (
          <li key={n} class="empty" aria-hidden="true" />
        ))}
      </ul>
      {listing.value && !all.length && <p class="notice">{listing.value.listed ? "No stream is live." : "This server does not list its streams."}</p>}
    </main>
  );
}
