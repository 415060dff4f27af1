// The player page.
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { follow, listing } from "../live/streams";
import "../style/base.css";
import { Header } from "../ui/header";

function Players() {
  useEffect(() => follow("streams.json"), []);
  return (
    <>
      <Header place="players" console={listing.value?.console}>
        {listing.value?.server}
      </Header>
      <main class="page">
        <h1>Player</h1>
      </main>
    </>
  );
}

render(<Players />, document.getElementById("app")!);
