// Which view is shown, and of what: the part of the address behind `#`.

import { signal } from "@preact/signals";

export interface Route {
  view: string;
  /** What the view is of, as an id; empty without one. */
  of: string;
}

function read(): Route {
  const [view = "", of = ""] = location.hash.replace(/^#\/?/, "").split("/");
  return { view: view || "overview", of: decodeURIComponent(of) };
}

export const route = signal<Route>(read());

addEventListener("hashchange", () => {
  route.value = read();
});

export function link(view: string, of = ""): string {
  return `#/${view}${of ? `/${encodeURIComponent(of)}` : ""}`;
}

export function go(view: string, of = ""): void {
  location.hash = link(view, of);
}
