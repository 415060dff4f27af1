"""A server with finished recordings of a film, and a live stream whose past is kept: what players seek in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from clip import Clip, end, finish, push
from recording import files
from server import HOST, Server, until, vhost_text

SECONDS = 10
"Of the film that is recorded, and that the live stream repeats."
WINDOW = 20
"How much of the live stream is there, seconds."


class SeekSite(NamedTuple):
    """The URLs of what can be sought."""

    mp4: str
    flv: str
    clip: str
    "Without the ending."
    playlist: str


@contextmanager
def seek_site(serve: Callable[..., Server], film: Clip, folder: Path) -> Iterator[SeekSite]:
    """Record below *folder*, which the server serves, and publish until the block ends."""
    dvr = "dvr {{ enabled on; dvr_path {0}/[stream].{1}; }}"
    live = f"timeshift {{ window {WINDOW + 10}; }} hls {{ enabled on; hls_fragment 1; hls_window 4; }}"
    server = serve(
        vhost_text(more=live)
        + f"vhost mp4.example.com {{ publish {{ grace 0; }} {dvr.format(folder, 'mp4')} }}\n"
        + f"vhost flv.example.com {{ publish {{ grace 0; }} {dvr.format(folder, 'flv')} }}",
        web=f"dir {folder};",
    )
    camera = push(film.path, server.publish_url("cam"), loop=True)
    try:
        for kind in ("mp4", "flv"):
            url = f"{server.publish_url('recording')}?vhost={kind}.example.com"
            finish(push(film.path, url, rate=5))
            until(lambda kind=kind: len(files(folder, f".{kind}")) == 1, "a finished recording", 20)
        until(lambda: server.streams()["cam"]["frames"] > WINDOW * 20, "the past", 60)
        site = f"http://{HOST}:{server.http}"
        yield SeekSite(
            f"{site}/recording.mp4",
            f"{site}/recording.flv",
            f"{site}/clip/live/cam",
            f"{site}/live/cam.m3u8?window={WINDOW}",
        )
    finally:
        end(camera)
