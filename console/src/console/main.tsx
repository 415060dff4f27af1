// The console: everything that the API of the server shows and permits, in one page.

import { effect } from "@preact/signals";
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { type ApiError, authorization, locked, logOut, lostSince } from "./api";
import { Icon, type IconName } from "../ui/icon";
import { Login } from "./login";
import { Dialog, Note } from "./parts";
import { link, route } from "./route";
import { apiSettings, loadSite, readOnly, setViewOnly, streamOrigin, viewOnly } from "./site";
import mark from "../style/mark.svg";
import { ClusterView } from "./views/cluster";
import { ConfigurationView } from "./views/configuration";
import { Logs } from "./views/logs";
import { Overview } from "./views/overview";
import { Players } from "./views/players";
import { Publish } from "./views/publish";
import { Publishers } from "./views/publishers";
import { Recordings } from "./views/recordings";
import { Stream } from "./views/stream";
import { Streams } from "./views/streams";
import "../style/base.css";
import "./console.css";
import "./views.css";

const VIEWS: [string, IconName, string][] = [
  ["overview", "overview", "Overview"],
  ["streams", "streams", "Streams"],
  ["players", "players", "Players"],
  ["publishers", "publishers", "Publishers"],
  ["recordings", "recordings", "Recordings"],
  ["publish", "publish", "Publish"],
  ["cluster", "cluster", "Cluster"],
  ["configuration", "configuration", "Configuration"],
  ["logs", "logs", "Logs"],
];
/** How many of them have a place in the bar of a phone. */
const FIRST = 4;

function View() {
  const { view, of } = route.value;
  switch (view) {
    case "streams":
      return of ? <Stream key={of} id={of} /> : <Streams />;
    case "players":
      return <Players />;
    case "publishers":
      return <Publishers />;
    case "recordings":
      return <Recordings />;
    case "publish":
      return <Publish />;
    case "cluster":
      return <ClusterView />;
    case "configuration":
      return <ConfigurationView />;
    case "logs":
      return <Logs />;
    default:
      return <Overview />;
  }
}

function NavLink({ view, icon, name }: { view: string; icon: IconName; name: string }) {
  return (
    <a href={link(view)} aria-current={route.value.view === view ? "page" : undefined}>
      <Icon name={icon} /> <span>{name}</span>
    </a>
  );
}

const THEME = "fastflv.theme";

function setTheme(theme: string): void {
  if (theme) document.documentElement.dataset["theme"] = theme;
  else delete document.documentElement.dataset["theme"];
  localStorage.setItem(THEME, theme);
}

function ThemeButton() {
  const change = () => {
    const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
    setTheme(dark ? "light" : "dark");
  };
  return (
    <button type="button" class="quiet" aria-label="Change between dark and light" title="Dark or light" onClick={change}>
      <Icon name="theme" />
    </button>
  );
}

function Tools() {
  const forced = apiSettings.value?.read_only ?? false;
  return (
    <>
      <label class="switch" title={forced ? "The server permits nothing else (http_api.read_only)" : "Hide what changes something"}>
        <input type="checkbox" role="switch" checked={readOnly.value} disabled={forced} onChange={(event) => setViewOnly(event.currentTarget.checked)} />
        <span>View only</span>
      </label>
      <ThemeButton />
      {authorization() && (
        <button type="button" class="quiet" aria-label="Log out" title="Log out" onClick={logOut}>
          <Icon name="lock" />
        </button>
      )}
    </>
  );
}

function Console() {
  const [ready, setReady] = useState(false);
  const [problem, setProblem] = useState("");
  const [more, setMore] = useState(false);
  const shown = useRef(false);
  const load = () =>
    loadSite().then(
      () => {
        setReady(true);
        setProblem("");
      },
      (failure: ApiError) => setProblem(failure.message),
    );
  useEffect(() => void load(), []);
  useEffect(() => {
    setMore(false);
    if (shown.current) {
      document.querySelector("main")?.focus({ preventScroll: true });
      scrollTo({ top: 0 });
    }
    shown.current = true;
  }, [route.value.view, route.value.of]);
  useEffect(() => {
    if (ready || locked.value || !problem) return undefined;
    const timer = setTimeout(() => void load(), 3000);
    return () => clearTimeout(timer);
  }, [ready, problem]);
  const name = VIEWS.find(([view]) => view === route.value.view)?.[2] ?? "Overview";
  useEffect(() => {
    document.title = `${name} · fastflv console`;
  }, [name]);
  if (locked.value) return <Login onDone={() => void load()} />;
  const home = streamOrigin();
  return (
    <div class="shell">
      <a class="skip" href="#main" onClick={(event) => {
        event.preventDefault();
        document.querySelector("main")?.focus();
      }}>
        Skip to the content
      </a>
      <aside class="sidebar">
        <a class="brand" href={home ? `${home}/` : link("overview")}>
          <img src={mark} alt="" width={26} height={26} /> fastflv
        </a>
        <nav aria-label="Views">
          {VIEWS.map(([view, icon, title]) => (
            <NavLink key={view} view={view} icon={icon} name={title} />
          ))}
        </nav>
        <div class="tools">
          <Tools />
        </div>
      </aside>
      <main id="main" tabIndex={-1}>
        <header class="top">
          <h1>{name}</h1>
          {(viewOnly.value || apiSettings.value?.read_only) && <span class="badge">view only</span>}
          <div class="tools phone">
            <ThemeButton />
          </div>
        </header>
        {lostSince.value > 0 && <Note tone="bad">The server does not answer. The page asks again by itself.</Note>}
        {ready ? <View /> : problem ? <Note tone="bad">{problem}</Note> : <p class="muted">Loading…</p>}
      </main>
      <nav class="tabbar" aria-label="Views">
        {VIEWS.slice(0, FIRST).map(([view, icon, title]) => (
          <NavLink key={view} view={view} icon={icon} name={title} />
        ))}
        <button type="button" aria-expanded={more} aria-current={VIEWS.slice(FIRST).some(([view]) => view === route.value.view) ? "page" : undefined} onClick={() => setMore(true)}>
          <Icon name="more" /> <span>More</span>
        </button>
      </nav>
      {more && (
        <Dialog title="More" onClose={() => setMore(false)}>
          <nav class="morelist" aria-label="More views">
            {VIEWS.slice(FIRST).map(([view, icon, title]) => (
              <NavLink key={view} view={view} icon={icon} name={title} />
            ))}
          </nav>
          <div class="tools">
            <Tools />
          </div>
        </Dialog>
      )}
    </div>
  );
}

setTheme(localStorage.getItem(THEME) ?? "");
let lost = false;
effect(() => {
  // A server that was started anew has other ports and other ids of vhosts.
  if (lost && lostSince.value === 0) loadSite().catch(() => undefined);
  lost = lostSince.value > 0;
});
effect(() => {
  if (locked.value) document.title = "Log in · fastflv console";
});
render(<Console />, document.getElementById("app") as HTMLElement);
