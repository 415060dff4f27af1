// The servers around this one: origins that it fetches from, destinations that it forwards to.

import { ask, askAll } from "../api";
import { bitRate, bytes, count, milliseconds, span } from "../format";
import { Icon } from "../../ui/icon";
import { Badge, Empty, Figure, Note, Trouble } from "../parts";
import { usePoll } from "../poll";
import { link } from "../route";

interface Origin {
  url: string;
  up: boolean;
  fault: string;
  streams: number;
  attempts: number;
  failures: number;
}

interface Pull {
  url: string;
  vhost: string;
  state: string;
  origin: string;
  from: string;
  switches: number;
  waiting: number;
}

interface Forward {
  stream: string;
  url: string;
  destination: string;
  state: string;
  state_seconds: number;
  attempts: number;
  fault: string;
  send_bytes: number;
  lag_ms: number;
  jumps: number;
}

interface Directory {
  url: string;
  up: boolean;
  fault: string;
  nodes: { mark: string; own: boolean; server: string; addresses: Record<string, string>; players: number; kbps: number; streams: number }[];
}

/** Rows of a list; none where the server has no such list. */
async function rows<Row>(path: string): Promise<Row[]> {
  try {
    return (await askAll<Row>(path, path)).rows;
  } catch (error) {
    if ((error as { status?: number }).status === 404) return [];
    throw error;
  }
}

export function ClusterView() {
  const { value, error } = usePoll(async () => {
    const [origins, pulls, forwards, version, { directories }] = await Promise.all([
      rows<Origin>("upstreams"),
      rows<Pull>("pulls"),
      rows<Forward>("forwards"),
      ask<{ server: string; data: { version: string } }>("versions"),
      ask<{ directories: Directory[] }>("clusters/directories"),
    ]);
    return { origins, pulls, forwards, version, directories };
  }, 3);
  if (!value) return <Trouble error={error} />;
  const { origins, pulls, forwards, version, directories } = value;
  const destinations = new Map<string, Forward[]>();
  for (const each of forwards) {
    const host = each.destination.split("/").slice(0, 3).join("/");
    destinations.set(host, [...(destinations.get(host) ?? []), each]);
  }
  if (!origins.length && !pulls.length && !forwards.length && !directories.length) {
    return (
      <Empty icon="cluster" title="This server stands alone">
        <p>
          With <code>cluster &#123; mode remote; origin HOST; &#125;</code> a vhost fetches streams from an origin; with <code>forward</code> its
          streams are published to other servers.
        </p>
      </Empty>
    );
  }
  return (
    <>
      <Trouble error={error} />
      <section class="net card" aria-label="Servers">
        <div class="column from">
          {origins.map((each) => (
            <div key={each.url} class={`node ${each.up ? "up" : "down"}`}>
              <b>{each.url}</b>
              <span class="muted">
                origin · {count(each.streams)} {each.streams === 1 ? "stream" : "streams"}
              </span>
              <Badge tone={each.up ? "good" : "bad"}>{each.up ? "up" : "down"}</Badge>
              {each.fault && <span class="muted">{each.fault}</span>}
            </div>
          ))}
          {origins.length === 0 && <p class="muted">Encoders publish here.</p>}
        </div>
        <div class="column here">
          <div class="node me">
            <Icon name="cluster" size={28} />
            <b>this server</b>
            <span class="muted">{version.server}</span>
            <span class="muted">fastflv {version.data.version}</span>
          </div>
        </div>
        <div class="column to">
          {[...destinations].map(([host, streams]) => {
            const well = streams.filter((each) => each.state === "forwarding").length;
            return (
              <div key={host} class={`node ${well === streams.length ? "up" : "down"}`}>
                <b>{host}</b>
                <span class="muted">
                  destination · {well} of {streams.length}
                </span>
                <Badge tone={well === streams.length ? "good" : "warn"}>{well === streams.length ? "forwarding" : "not all"}</Badge>
              </div>
            );
          })}
          {destinations.size === 0 && <p class="muted">Players watch here.</p>}
        </div>
      </section>
      {directories.map((each) => (
        <section key={each.url} aria-label={`Directory ${each.url}`}>
          <header class="section">
            <h2>Directory {each.url}</h2>
            <Badge tone={each.up ? "good" : "bad"}>{each.up ? "up" : "down"}</Badge>
          </header>
          {each.fault && <Note tone="bad">{each.fault}</Note>}
          <div class="cards">
            {each.nodes.map((node) => (
              <article key={node.mark} class={`card pad node ${node.own ? "own" : ""}`}>
                <h3>
                  {node.server} {node.own && <Badge tone="good">this server</Badge>}
                </h3>
                <p class="muted">
                  {Object.entries(node.addresses)
                    .map(([scheme, address]) => `${scheme}://${address}`)
                    .join(" · ")}
                </p>
                <dl class="figures">
                  <Figure label="Streams" value={count(node.streams)} />
                  <Figure label="Players" value={count(node.players)} />
                  <Figure label="Sent" value={bitRate(node.kbps)} />
                </dl>
              </article>
            ))}
          </div>
        </section>
      ))}
      {pulls.length > 0 && (
        <section aria-labelledby="pulls">
          <h2 id="pulls">Fetched from origins</h2>
          <table class="rows card">
            <thead>
              <tr>
                <th>Stream</th>
                <th>State</th>
                <th>From</th>
                <th class="number">Switches</th>
                <th class="number">Waiting viewers</th>
              </tr>
            </thead>
            <tbody>
              {pulls.map((each) => (
                <tr key={each.vhost + each.url}>
                  <td data-label="Stream">{each.url}</td>
                  <td data-label="State">
                    <Badge>{each.state}</Badge>
                  </td>
                  <td data-label="From">{each.from || each.origin || "–"}</td>
                  <td class="number" data-label="Switches">
                    {count(each.switches)}
                  </td>
                  <td class="number" data-label="Waiting viewers">
                    {count(each.waiting)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      {forwards.length > 0 && (
        <section aria-labelledby="forwards">
          <h2 id="forwards">Forwarded</h2>
          <table class="rows card">
            <thead>
              <tr>
                <th>Stream</th>
                <th>To</th>
                <th>State</th>
                <th class="number">Lag</th>
                <th class="number">Sent</th>
              </tr>
            </thead>
            <tbody>
              {forwards.map((each) => (
                <tr key={each.stream + each.destination}>
                  <td data-label="Stream">
                    <a href={link("streams", each.stream)}>{each.url}</a>
                  </td>
                  <td data-label="To">{each.destination}</td>
                  <td data-label="State">
                    <Badge tone={each.state === "forwarding" ? "good" : "warn"}>{each.state}</Badge> <span class="muted">{span(each.state_seconds)}</span>
                    {each.fault && <Note tone="warn">{each.fault}</Note>}
                  </td>
                  <td class="number" data-label="Lag">
                    {milliseconds(each.lag_ms)}
                  </td>
                  <td class="number" data-label="Sent">
                    {bytes(each.send_bytes)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </>
  );
}
