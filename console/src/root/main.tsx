// The root page: what this is, and what is live.
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { describe, failure, follow, listing } from "../live/streams";
import "../style/base.css";
import { Header } from "../ui/header";

function Root() {
  useEffect(() => follow("players/streams.json"), []);
  const said = listing.value;
  return (
    <>
      <Header place="root" console={said?.console}>
        {said?.server}
      </Header>
      <main class="page">
        <h1>Live streams</h1>
        {failure.value && <p class="notice">{failure.value}</p>}
        <ul>
          {said?.streams.map((stream) => (
            <li key={stream.url}>
              <a href={`players/?stream=${encodeURIComponent(`${stream.app}/${stream.stream}`)}`}>{stream.url}</a> {describe(stream)}
            </li>
          ))}
        </ul>
      </main>
    </>
  );
}

render(<Root />, document.getElementById("app")!);
