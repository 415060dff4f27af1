"""Clients that ask for much and read nothing: an answer waits unencrypted, shared by all who asked for it."""

from __future__ import annotations

import select
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urljoin

from attack import Attack
from flvread import VIDEO
from model.ports import free_ports
from player import Player
from publisher import Publisher, picture, silent_headers
from server import MIB, Server, vhost_text
from tlsfiles import make_pair, trusting

PATH = "/live/big.m3u8"
CLIENTS = 60
SEGMENT_BYTES = 13 << 20


def segments(server: Server, publisher: Publisher) -> list[str]:
    """Publish pictures of SEGMENT_BYTES every 2 s of media until there is a playlist; return its segments."""
    publisher.tags(silent_headers())
    number = 1
    publisher.tag(VIDEO, 0, picture(0, key=True))
    with Player(server.http, PATH, flv=False) as player:
        session = paths(player)[0]
    with Player(server.http, session, flv=False) as player:
        while not select.select([player.sock], [], [], 0.5)[0]:
            for _ in range(50):
                size = SEGMENT_BYTES // 50
                publisher.tag(VIDEO, 40 * number, picture(number, key=number % 50 == 0, size=size))
                number += 1
        return paths(player)


def paths(playlist: Player) -> list[str]:
    return [urljoin(PATH, line) for line in playlist.text().splitlines() if line and line[0] != "#"]


def test_https_clients_that_never_read_a_segment_hold_little(
    under_attack: Callable[..., Attack], tmp_path: Path
) -> None:
    (https,) = free_ports(1)
    pair = make_pair(tmp_path)
    web = f"https {{ enabled on; listen {https}; cert {pair.cert}; key {pair.key}; }}"
    attack = under_attack(
        vhost_text(publish="normal_timeout 60000;", more="hls { enabled on; hls_fragment 2; }"), web=web
    )
    trust = trusting()
    with Publisher(attack.server.rtmp).publish("big") as publisher, ExitStack() as clients:
        segment = segments(attack.server, publisher)[-1]
        with Player(attack.server.http, segment, flv=False) as player:
            assert int(player.head().headers["content-length"]) > SEGMENT_BYTES
        with attack.measured():
            for _ in range(CLIENTS):
                client = clients.enter_context(Player(https, segment, tls=trust, buffer=4096, flv=False))
                assert client.head().status == 200
    attack.check_delay()
    attack.check_memory(peak=CLIENTS * MIB // 3)
