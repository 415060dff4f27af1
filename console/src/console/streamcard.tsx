// One stream as a picture with what matters of it.

import { type PublisherRow, type StreamRow, playersOf, troublesOf } from "./api";
import { audioText, bitRate, count, decimal, videoText } from "./format";
import { Icon } from "../ui/icon";
import { Badge } from "./parts";
import { Preview } from "./preview";
import { link } from "./route";

export function StreamCard({ stream, publisher }: { stream: StreamRow; publisher?: PublisherRow | undefined }) {
  const live = stream.publish.active;
  const troubles = publisher ? troublesOf(publisher).length : 0;
  const rate = publisher?.kbps.recv_30s ?? stream.kbps.recv_30s;
  return (
    <a class="streamcard card" href={link("streams", stream.id)}>
      <Preview stream={stream} />
      <span class="corner">
        <Badge tone={live ? "live" : "away"}>{live ? "live" : stream.publish.state}</Badge>
        {troubles > 0 && (
          <Badge tone="warn">
            <Icon name="warning" size={14} /> {troubles}
            <span class="hidden"> warnings</span>
          </Badge>
        )}
      </span>
      <span class="watchers" title="Players">
        <Icon name="eye" size={16} /> {count(playersOf(stream))}
        <span class="hidden"> players</span>
      </span>
      <span class="about">
        <b>{stream.url}</b>
        <span class="muted">
          {[
            stream.video?.width ? `${stream.video.width}×${stream.video.height}` : videoText(stream.video) || audioText(stream.audio),
            publisher && publisher.frame_rate > 0 ? `${decimal(publisher.frame_rate)} fps` : "",
            rate ? bitRate(rate) : "",
          ]
            .filter(Boolean)
            .join(" · ")}
        </span>
      </span>
    </a>
  );
}
