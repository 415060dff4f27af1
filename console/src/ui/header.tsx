// The bar at the top of each page.
import type { ComponentChildren } from "preact";
import mark from "../style/mark.svg";

export type Place = "root" | "players" | "console";

interface Props {
  /** The page that this is. */
  place: Place;
  /** The console is served. */
  console?: boolean;
  /** At the right end. */
  children?: ComponentChildren;
}

export function Header({ place, console = true, children }: Props) {
  const up = place === "root" ? "" : "../";
  const link = (to: Place, path: string, text: string) => (
    <a href={path || "./"} aria-current={place === to ? "page" : undefined}>
      {text}
    </a>
  );
  return (
    <header class="bar">
      <a class="brand" href={up || "./"}>
        <img src={mark} alt="" />
        fastflv
      </a>
      <nav aria-label="Pages">
        {link("root", up, "Live")}
        {link("players", `${up}players/`, "Player")}
        {console && link("console", `${up}console/`, "Console")}
      </nav>
      <div class="end muted">{children}</div>
    </header>
  );
}
