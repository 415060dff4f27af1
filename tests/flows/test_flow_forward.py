"""Forwards through other people's servers, and back from them: each frame as the encoder sent it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from clip import Clip, end, push
from flvread import AUDIO, VIDEO, media
from model.ports import free_ports
from otherservers import load_module, nginx, srs
from player import Player
from server import HOST, Server, until, vhost_text

NGINX = """\
rtmp {{ server {{
    listen {host}:{port};
    application live {{ live on; push rtmp://{host}:{last}/live; }}
}} }}
"""


@contextmanager
def through_nginx(folder: Path, port: int, last: int) -> Iterator[None]:
    load = load_module("rtmp")
    with nginx(folder, NGINX.format(host=HOST, port=port, last=last), port, load):
        yield


@contextmanager
def through_srs(folder: Path, port: int, last: int) -> Iterator[None]:
    with srs(folder, port, f"forward {{ enabled on; destination {HOST}:{last}; }}"):
        yield


@pytest.mark.parametrize("through", [through_nginx, through_srs])
def test_a_stream_goes_through_another_server_and_comes_back_byte_for_byte(
    serve: Callable[..., Server],
    h264: Clip,
    tmp_path: Path,
    through: Callable[..., AbstractContextManager[None]],
) -> None:
    (port,) = free_ports(1)
    last = serve(vhost_text(play="mw_latency 0; start gop;"))
    first = serve(vhost_text(more=f"forward {{ enabled on; destination {HOST}:{port}; }}"))
    name = through.__name__
    with through(tmp_path, port, last.rtmp):
        publisher = push(h264.path, first.publish_url(name), loop=True)
        try:
            last.log.wait(f"publishes /live/{name}$")
            with Player(last.http, f"/live/{name}.flv") as player:
                player.frames(30)
            (row,) = first.ask("forwards")["forwards"]
            assert (row["state"], row["attempts"], row["fault"]) == ("forwarding", 1, "")
            assert row["destination"] == f"rtmp://{HOST}:{port}/live/{name}"
        finally:
            end(publisher)
        # The end of the publish is its end behind the other server too.
        until(lambda: not last.streams(), "the end of the stream", 20)
    for kind in (VIDEO, AUDIO):
        frames = [tag.body for tag in media(h264.flv.tags, kind)]
        got = [tag.body for tag in media(player.tags, kind)]
        at = frames.index(got[0])
        assert got == (frames * 4)[at : at + len(got)]
        assert len(got) >= 25
