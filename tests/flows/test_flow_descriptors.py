"""What connections cost a server: places in max_connections, and descriptors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from model.ports import free_ports
from player import Player
from publisher import Publisher, film, headers
from rtmpplayer import RtmpPlayer
from server import Server, until, vhost_text
from tlsfiles import Pair, SecureServer, trusting
from wsclient import WebSocket

from fastflv import limits

EACH = 4


def test_the_api_answers_when_all_connections_are_taken(tmp_path: Path) -> None:
    with Server(tmp_path, connections=5) as server, ExitStack() as taken:
        publisher = taken.enter_context(Publisher(server.rtmp)).publish("x")
        publisher.tags([*headers(), *film(5)])
        for _ in range(4):
            taken.enter_context(Player(server.http, "/live/x.flv")).head()
        with Player(server.http, "/live/x.flv") as player:
            assert player.turned_away()
        assert len(server.clients()) == 5
        # A crowd finds an end on the API's own port too.
        for _ in range(limits.API_CONNECTIONS_KEPT):
            taken.enter_context(Player(server.api, "/api/v1/versions")).head()
        with Player(server.api, "/api/v1/versions") as player:
            assert player.turned_away()


@pytest.fixture(scope="module")
def site(
    serve: Callable[..., Server], pair: Pair, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Server, int]:
    """A server of streams and files, with its port for HTTPS."""
    (https,) = free_ports(1)
    folder = tmp_path_factory.mktemp("files")
    with (folder / "large.bin").open("wb") as file:
        file.truncate(500 << 20)
    secure = f"https {{ enabled on; listen {https}; cert {pair.cert}; key {pair.key}; }}"
    return serve(vhost_text(), web=f"dir {folder}; {secure}"), https


KINDS: dict[str, tuple[int, Callable[[Server, int], Any]]] = {
    "HTTP": (1, lambda server, https: Player(server.http, "/live/x.flv").head()),
    "HTTPS": (1, lambda server, https: Player(https, "/live/x.flv", tls=trusting()).head()),
    "WebSocket": (2, lambda server, https: WebSocket(server.http, "/live/x.flv").frames(1)),
    "WebSocket over TLS": (
        1,
        lambda server, https: WebSocket(https, "/live/x.flv", tls=trusting()).frames(1),
    ),
    "RTMP": (2, lambda server, https: RtmpPlayer(server.rtmp).open("x").frames(1)),
    "a file": (3, lambda server, https: Player(server.http, "/large.bin", flv=False).head()),
    "a file over TLS": (
        2,
        lambda server, https: Player(https, "/large.bin", flv=False, tls=trusting()).head(),
    ),
}
"Descriptors of the server for one of them, and how it begins."


@pytest.mark.parametrize("kind", KINDS)
def test_connections_take_as_many_descriptors_as_the_start_counts(
    site: tuple[Server, int], kind: str
) -> None:
    server, https = site
    count, begin = KINDS[kind]
    assert count <= limits.CONNECTION_DESCRIPTORS_MAX
    with Publisher(server.rtmp).publish("x") as publisher, ExitStack() as taken:
        publisher.tags([*headers(), *film(5)])
        idle = SecureServer(server, https, https).quiet_fds()
        for _ in range(EACH):
            taken.enter_context(begin(server, https))
        until(lambda: server.fds() == idle + EACH * count, f"{EACH * count} descriptors")
