"""A reload opens, closes and moves listeners and changes certificates; connections stay."""

from __future__ import annotations

import hashlib
import shutil
import socket
import ssl
from contextlib import ExitStack
from pathlib import Path

from broadcast import Broadcast
from model.ports import free_ports
from player import Player, check_complete
from reloading import LEAN, OTHER, Make, change_of, refused, status
from rtmpplayer import RtmpPlayer
from server import HOST, until, vhost_text
from tlsfiles import Pair, make_pair, trusting


def certificate(port: int) -> bytes:
    """Digest of the certificate that a new client is given."""
    with socket.create_connection((HOST, port), 10) as plain, trusting().wrap_socket(plain) as secure:
        return hashlib.sha256(secure.getpeercert(True) or b"").digest()


def digest(pair: Pair) -> bytes:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pair.cert.read_text())).digest()


# --- certificates and listeners ------------------------------------------------------------------


def test_another_certificate_is_given_to_new_clients_and_the_others_stay(make: Make, tmp_path: Path) -> None:
    pairs = []
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        pairs.append(make_pair(tmp_path / name, f"{name}.example.com"))
    old, new = pairs
    https, rtmps = free_ports(2)
    block = f"cert {old.cert}; key {old.key};"
    server = make(
        vhost_text(publish=LEAN),
        web=f"https {{ enabled on; listen {https}; {block} }}",
        more=f"rtmps {{ enabled on; listen {rtmps}; {block.replace('; ', ' ; ')} }}",
    )
    with (
        Broadcast(server.rtmp, "one"),
        Player(https, "/live/one.flv", tls=trusting(old)) as player,
        RtmpPlayer(rtmps, tls=trusting(old)).open("one") as rtmp,
    ):
        player.frames(5)
        rtmp.frames(5)
        assert certificate(https) == certificate(rtmps) == digest(old)
        lines = server.change((block, f"cert {new.cert}; key {new.key};"))
        assert change_of(lines, "http_server.https.cert") == (f"{old.cert} -> {new.cert}", "at once")
        assert (certificate(https), certificate(rtmps)) == (digest(new), digest(old))
        lines = server.change((block.replace("; ", " ; "), f"cert {new.cert}; key {new.key};"))
        assert change_of(lines, "rtmps.cert") == (f"{old.cert} -> {new.cert}", "at once")
        assert certificate(rtmps) == digest(new)
        with Player(https, "/live/one.flv", tls=trusting(new)) as fresh:
            fresh.frames(5)
        player.frames(25)
        rtmp.frames(25)
        check_complete(player)
        check_complete(rtmp)
        shutil.copy(old.cert, new.cert)
        shutil.copy(old.key, new.key)
        server.reload()
        until(lambda: certificate(https) == digest(old), "the files that were overwritten", 15)


def test_listeners_come_go_and_move_and_their_connections_stay(make: Make) -> None:
    server = make(vhost_text(publish=LEAN))
    second, third, fourth = free_ports(3)
    with Broadcast(server.rtmp, "one") as broadcast, Player(server.http, "/live/one.flv") as player:
        player.frames(5)
        lines = server.change((f"listen {server.rtmp};", f"listen {server.rtmp} {second};"))
        assert change_of(lines, "listen") == (f"{server.rtmp} -> {server.rtmp} {second}", "at once")
        with RtmpPlayer(second).open("one") as rtmp:
            rtmp.frames(5)
            # The publisher's and the player's listeners both go, the HTTP server moves.
            lines = server.change(
                (f"listen {server.rtmp} {second};", f"listen {third};"),
                (f"listen {server.http};", f"listen {fourth};"),
            )
            assert change_of(lines, "http_server.listen") == (f"{server.http} -> {fourth}", "at once")
            for port in (server.rtmp, second, server.http):
                assert refused(port)
                server.log.wait(rf"on {port} is closed")
            with Player(fourth, "/live/one.flv") as fresh, RtmpPlayer(third).open("one") as late:
                fresh.frames(5)
                late.frames(5)
            rtmp.frames(20)
            player.frames(5)
            check_complete(player)
            check_complete(rtmp)
        assert broadcast.is_alive()


def test_two_listeners_exchange_their_ports(make: Make) -> None:
    server = make(vhost_text(publish=LEAN))
    server.change(
        (f"listen {server.rtmp};", "listen A;".replace("A", str(server.http)) + "#rtmp"),
        (f"enabled on; listen {server.http};", f"enabled on; listen {server.rtmp};"),
    )
    with Broadcast(server.http, "one"), Player(server.rtmp, "/live/one.flv") as player:
        player.frames(5)


def test_a_listener_is_narrowed_to_an_address_and_widened_again(make: Make) -> None:
    server = make(vhost_text(publish=LEAN))
    wide, narrow = f"enabled on; listen {server.http};", f"enabled on; listen {HOST}:{server.http};"
    with Broadcast(server.rtmp, "one"), Player(server.http, "/live/one.flv") as player:
        player.frames(5)
        for swap in ((wide, narrow), (narrow, wide)):
            server.change(swap)
            with Player(server.http, "/live/one.flv") as fresh:
                fresh.frames(5)
            with socket.socket() as other:
                other.settimeout(10)
                assert (other.connect_ex((OTHER, server.http)) == 0) is (swap[1] == wide)
        player.frames(5)
        check_complete(player)


def test_the_http_server_and_the_api_are_switched_off_and_on(make: Make) -> None:
    server = make(vhost_text(publish=LEAN))
    api = f"http_api {{ enabled on; listen {server.api}; }}"
    with Broadcast(server.rtmp, "one"), Player(server.http, "/live/one.flv") as player:
        player.frames(5)
        off = api.replace("on", "off", 1)
        lines = server.change(("http_server { enabled on;", "http_server { enabled off;"), (api, off))
        assert change_of(lines, "http_api.enabled") == ("on -> off", "at once")
        assert refused(server.http) and refused(server.api)
        player.frames(5)
        server.change(("http_server { enabled off;", "http_server { enabled on;"), (off, api))
        assert "one" in server.streams()
        with Player(server.http, "/live/one.flv") as fresh:
            fresh.frames(5)
        check_complete(player)


def test_the_api_moves_to_the_ports_of_the_http_server_and_back(make: Make) -> None:
    server = make(vhost_text(publish=LEAN))
    apart, shared = (f"http_api {{ enabled on; listen {port};" for port in (server.api, server.http))
    with Broadcast(server.rtmp, "one"), Player(server.http, "/live/one.flv") as player:
        player.frames(5)
        assert status(server.http, "/api/v1/streams", method="GET") == 404
        server.change((apart, shared))
        assert status(server.http, "/api/v1/streams", method="GET") == 200
        assert refused(server.api)
        server.change((shared, apart))
        assert status(server.http, "/api/v1/streams", method="GET") == 404
        assert "one" in server.streams()
        check_complete(player.frames(5))


def test_max_connections_is_lowered_and_raised_and_those_above_it_stay(make: Make) -> None:
    server = make(vhost_text(publish=LEAN))
    with Broadcast(server.rtmp, "one"), ExitStack() as stack:
        players = [stack.enter_context(Player(server.http, "/live/one.flv")).frames(2) for _ in range(5)]
        server.change(("max_connections 1000;", "max_connections 3;"))
        with Player(server.http, "/live/one.flv") as late:
            assert late.turned_away()
        for player in players:
            player.frames(10)
        server.change(("max_connections 3;", "max_connections 1000;"))
        with Player(server.http, "/live/one.flv") as fresh:
            fresh.frames(2)
        for player in players:
            check_complete(player.frames(2))
