// The player page.
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { follow, listing } from "../live/streams";
import { HAS_MSE } from "../player/decodable";
import { loadMpegts } from "../player/flvplay";
import "../style/base.css";
import { Header } from "../ui/header";
import { address } from "./address";
import "./players.css";
import { Single } from "./single";
import { Wall } from "./wall";

// Before the list is there, since all of the page waits for both.
if (HAS_MSE) loadMpegts().catch(() => undefined);

function Players() {
  useEffect(() => follow("streams.json", address.value.rest), []);
  const { embed, wall } = address.value;
  if (embed) return <Single />;
  return (
    <>
      <Header place="players" console={listing.value?.console}>
        <span class="version">{listing.value?.server}</span>
      </Header>
      {wall ? <Wall /> : <Single />}
    </>
  );
}

render(<Players />, document.getElementById("app")!);
