"""Draw the pictures of `docs/pictures` that show how things are connected: `python tools/diagrams.py`. Each is text below."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
STYLE = """
  svg { font: 14px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; color-scheme: light dark; background: #fff; }
  text { fill: #1c2733; } .more { fill: #51606f; font-size: 12px; } .title { font-weight: 600; }
  rect { fill: #f3f6f9; stroke: #8a9aab; } rect.core { fill: #e3eefc; stroke: #3b78c4; }
  path { fill: none; stroke: #51606f; stroke-width: 1.5; } path.asks { stroke-dasharray: 5 4; } #head path { fill: #51606f; stroke: none; }
  @media (prefers-color-scheme: dark) {
    svg { background: #0f151c; } text { fill: #e4ebf2; } .more { fill: #a3b1bf; }
    rect { fill: #19222c; stroke: #64758a; } rect.core { fill: #152a45; stroke: #5b9bea; }
    path { stroke: #a3b1bf; } #head path { fill: #a3b1bf; }
  }
"""
LINE = 17
"Height of a line of text, px."


class Box(NamedTuple):
    """A part. The first line of *text* is its name."""

    x: int
    y: int
    width: int
    text: str
    kind: str = ""
    "`core`: in C, without Python for media."

    @property
    def height(self) -> int:
        return 20 + LINE * len(self.text.splitlines())


class Arrow(NamedTuple):
    """From a point of one box to a point of another, by corners: `x,y x,y ...`."""

    corners: str
    label: str = ""
    at: str = ""
    "Where the label begins, `x,y`."

    kind: str = ""
    "`asks`: a request, no media."


class Picture(NamedTuple):
    """One drawing."""

    width: int
    height: int
    says: str
    "What it shows, for those who do not see it."

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


PICTURES = {
    "datapath": Picture(
        960,
        452,
        "An encoder is accepted, passes the gate and becomes a publication, which writes a log. A viewer is accepted, passes the gate and joins,"
        " and gets a cursor in a log. Sender threads send what lies behind each cursor to its socket.",
        (
            Box(16, 24, 130, "encoder\nRTMP, FLV over\nHTTP, WS, TCP"),
            Box(190, 24, 150, "accept\nlistener, TLS,\nRTMP or HTTP session"),
            Box(384, 24, 140, "gate\nrules, tokens,\nlimits, hooks"),
            Box(568, 24, 160, "publication\nnames, takeover,\ngrace, statistics"),
            Box(772, 24, 172, "StreamWriter\ntimeline, headers,\nkeyframes", "core"),
            Box(568, 176, 376, 'MediaLog "flv"\npages of ready bytes and an index of tags', "core"),
            Box(568, 268, 118, '"ts"\nTsMux', "core"),
            Box(697, 268, 118, '"rtmp"\nRtmpMux', "core"),
            Box(826, 268, 118, '"aac", "mp3"\nRawAudio', "core"),
            Box(384, 176, 140, "files and HLS\nrecordings, past,\nsegments"),
            Box(568, 372, 376, "cursors\na place in a log for each player, and its lag", "core"),
            Box(384, 372, 140, "sender threads\nepoll, one sendmsg", "core"),
            Box(190, 372, 150, "sockets\nchunks, WS messages"),
            Box(16, 363, 130, "viewers\nbrowser, VLC,\nffplay, apps"),
            Box(
                190,
                256,
                310,
                "join\naccept and gate, then the stream:\na start block, and a cursor behind it",
            ),
        ),
        (
            Arrow("146,60 188,60"),
            Arrow("340,60 382,60"),
            Arrow("524,60 566,60"),
            Arrow("728,60 770,60"),
            Arrow("858,95 858,174", "tags", "868,140"),
            Arrow("566,205 526,205"),
            Arrow("627,230 627,266"),
            Arrow("756,230 756,266"),
            Arrow("885,230 885,266"),
            Arrow("756,322 756,370", "read by", "766,351"),
            Arrow("566,399 526,399"),
            Arrow("382,399 342,399"),
            Arrow("188,399 148,399"),
            Arrow("80,361 80,292 188,292", "request", "92,284", "asks"),
            Arrow("450,327 450,350 640,350 640,370", "", "", "asks"),
        ),
    ),
    "cluster": Picture(
        960,
        430,
        "Encoders publish to two origins. An edge fetches a stream once, from the origin that has it, for all its viewers. A directory in Redis says which server"
        " has what. Origins forward streams to other services.",
        (
            Box(16, 96, 140, "encoders\ncameras 1 to 50"),
            Box(16, 262, 140, "encoders\ncameras 51 to 99"),
            Box(250, 84, 180, "origin A\nstreams, recordings,\nhooks", "core"),
            Box(250, 250, 180, "origin B\nthe same for others", "core"),
            Box(540, 84, 180, "edge 1\none fetch a stream,\nall viewers of it", "core"),
            Box(540, 250, 180, "edge 2\nsends viewers on\nwhen it is full", "core"),
            Box(810, 93, 134, "viewers\nHTTP, WS, HLS"),
            Box(810, 259, 134, "viewers\nRTMP, RTMPS"),
            Box(395, 360, 180, "directory\nRedis: who has what"),
            Box(250, 12, 180, "forward\nRTMP to other services"),
        ),
        (
            Arrow("156,122 248,122", "RTMP", "180,114"),
            Arrow("156,289 248,289", "RTMP", "180,281"),
            Arrow("430,110 538,110", "RTMP or FLV", "438,102"),
            Arrow("430,290 484,290 484,130 538,130"),
            Arrow("430,274 538,274"),
            Arrow("720,122 808,122"),
            Arrow("720,288 808,288"),
            Arrow("340,82 340,68"),
            Arrow("340,306 340,387 393,387", "tells", "350,345", "asks"),
            Arrow("630,323 630,387 577,387", "asks", "638,360", "asks"),
        ),
    ),
}


def draw(picture: Picture) -> str:
    """Return *picture* as SVG, which is dark where its reader's screen is."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {picture.width} {picture.height}" role="img" aria-label="{escape(picture.says)}">',
        f"<style>{STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z"/></marker></defs>',
    ]
    for box in picture.boxes:
        parts.append(
            f'<rect class="{box.kind}" x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="6"/>'
        )
        for at, line in enumerate(box.text.splitlines()):
            y = box.y + 24 + LINE * at
            kind = "more" if at else "title"
            parts.append(
                f'<text class="{kind}" x="{box.x + box.width // 2}" y="{y}" text-anchor="middle">{escape(line)}</text>'
            )
    for arrow in picture.arrows:
        parts.append(
            f'<path class="{arrow.kind}" d="M{arrow.corners.replace(" ", "L")}" marker-end="url(#head)"/>'
        )
        if arrow.label:
            x, y = arrow.at.split(",")
            parts.append(f'<text class="more" x="{x}" y="{y}">{escape(arrow.label)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def main() -> None:
    for name, picture in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(draw(picture))


if __name__ == "__main__":
    main()
