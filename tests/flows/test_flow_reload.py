"""SIGHUP: a new configuration takes the place of the old one, and nobody leaves who may stay."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import signal
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from broadcast import Broadcast
from crowd import OUTPUTS, Crowd, Ports, Studio, viewer
from flvread import VIDEO
from model.ports import free_ports
from player import Player, check_complete, numbers
from publisher import Publisher, Refused, film, headers, picture
from reloading import ChangingServer, change_of
from rtmpplayer import RtmpPlayer
from server import HOST, Log, environment, start, stop, until, vhost_text
from tlsfiles import Pair, make_pair, trusting

DEFAULT = "vhost __defaultVhost__"
OTHER = "127.0.0.9"
LEAN = "grace 0;"
FLV = "[vhost]/[app]/[stream].flv"
MOUNTS = f"mount {FLV};"

Make = Callable[..., ChangingServer]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Start servers that live as long as the test."""
    with ExitStack() as stack:

        def begin(vhosts: str = "", **more: object) -> ChangingServer:
            return stack.enter_context(ChangingServer(tmp_path, vhosts, **more))  # type: ignore[arg-type]

        yield begin


def status(port: int, target: str, *headers: str, method: str = "HEAD") -> int:
    with Player(port, target, method=method, headers=headers, flv=False) as player:
        return player.head().status


def refused(port: int) -> bool:
    """Whether nobody listens on *port*."""
    try:
        socket.create_connection((HOST, port), 10).close()
    except ConnectionRefusedError:
        return True
    return False


def certificate(port: int) -> bytes:
    """Digest of the certificate that a new client is given."""
    with socket.create_connection((HOST, port), 10) as plain, trusting().wrap_socket(plain) as secure:
        return hashlib.sha256(secure.getpeercert(True) or b"").digest()


def digest(pair: Pair) -> bytes:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pair.cert.read_text())).digest()


# --- what the log says ---------------------------------------------------------------------------


def test_the_log_tells_each_change_with_its_place_and_when_it_counts(make: Make) -> None:
    server = make(vhost_text(play="mw_latency 100;"), more="chunk_size 4096; fanout_threads 1;")
    lines = server.change(
        ("mw_latency 100;", "mw_latency 200; mw_msgs 16;"),
        ("chunk_size 4096;", "chunk_size 8192;"),
        ("fanout_threads 1;", "fanout_threads 2;"),
        ("max_connections 1000;", "max_connections 900;"),
    )
    assert change_of(lines, "max_connections") == ("1000 -> 900", "at once")
    assert change_of(lines, f"{DEFAULT}.play.mw_latency") == ("100 -> 200", "at once")
    assert change_of(lines, "chunk_size") == ("4096 -> 8192", "for new connections")
    assert change_of(lines, "fanout_threads") == ("1 -> 2", "after a restart")
    assert change_of(lines, f"{DEFAULT}.play.mw_msgs")[1] == "never: it has no effect"
    assert len(lines) == 6
    assert "configuration 2 is in force; 0 clients" in lines[-1]


def test_a_file_that_did_not_change_is_taken_without_a_change(make: Make) -> None:
    server = make()
    assert [line.partition("reload: ")[2] for line in server.reload()] == [
        "configuration 2 is in force; 0 clients are disconnected"
    ]


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ("mw_latencyy 5;", r"server\.conf:\d+: .*mw_latency"),
        ("mw_latency many;", r"server\.conf:\d+: "),
        ("mw_latency 5; }", r"server\.conf:\d+: "),
        ("mw_latency 5; } security { allow play nobody; } play {", r"server\.conf:\d+: .*allow play nobody"),
        ("mw_latency 5; } http_remux { mount /live/a.flv; } play {", r"server\.conf:\d+: "),
    ],
    ids=["name", "value", "brace", "rule", "mount"],
)
def test_a_bad_file_changes_nothing_and_the_next_good_one_counts(make: Make, new: str, why: str) -> None:
    server = make(vhost_text(play="mw_latency 0;", publish=LEAN))
    with Broadcast(server.rtmp, "calm"), Player(server.http, "/live/calm.flv") as player:
        player.frames(5)
        line = server.refuse(("mw_latency 0;", new), ("max_connections 1000;", "max_connections 1;"))
        assert re.search(f"SIGHUP: .*{why}", line), line
        player.frames(5)
        assert status(server.http, "/live/calm.flv") == 200, "max_connections of the bad file counts"
        lines = server.change(("mw_latency 0;", "mw_latency 50;"))
        assert change_of(lines, f"{DEFAULT}.play.mw_latency") == ("0 -> 50", "at once")
        player.frames(5)
        check_complete(player)


def test_a_listener_or_certificate_that_cannot_be_had_changes_nothing(make: Make, tmp_path: Path) -> None:
    server = make()
    with socket.create_server((HOST, 0)) as holder:
        taken, free = holder.getsockname()[1], free_ports(1)[0]
        line = server.refuse((f"listen {server.rtmp};", f"listen {server.rtmp} {free} {HOST}:{taken};"))
        assert str(taken) in line and "in use" in line
    assert refused(free), "a part of the refused file counts"
    pair = f"https {{ enabled on; listen {free}; cert {tmp_path}/no.crt; key {tmp_path}/no.key; }}"
    line = server.refuse((f"listen {server.http};", f"listen {server.http}; {pair}"))
    assert "no.crt does not exist" in line
    assert refused(free)
    assert not refused(server.http)


# --- mounts and vhosts ---------------------------------------------------------------------------


def test_a_mount_comes_and_another_goes_and_its_player_stays(make: Make) -> None:
    server = make(vhost_text(publish=LEAN))
    with Broadcast(server.rtmp, "one"), Player(server.http, "/live/one.flv") as player:
        player.frames(5)
        assert status(server.http, "/tv/live-one.flv") == 404
        lines = server.change((MOUNTS, "mount /tv/[app]-[stream].flv;"))
        assert change_of(lines, f"{DEFAULT}.http_remux.mount") == (
            "[vhost]/[app]/[stream].flv -> /tv/[app]-[stream].flv",
            "at once",
        )
        assert status(server.http, "/live/one.flv") == 404
        with Player(server.http, "/tv/live-one.flv") as fresh:
            fresh.frames(5)
        player.frames(20)
        check_complete(player)
        lines = server.change(("http_remux { enabled on;", "http_remux { enabled off;"))
        assert change_of(lines, f"{DEFAULT}.http_remux.enabled") == ("on -> off", "at once")
        assert status(server.http, "/tv/live-one.flv") == 404
        player.frames(5)
        check_complete(player)


@pytest.mark.parametrize("how", ["disabled", "removed"])
def test_a_vhost_comes_and_goes_with_its_clients_and_nobody_else(make: Make, how: str) -> None:
    server = make(vhost_text(publish=LEAN))
    text = server.file.read_text()
    extra = "vhost tv.example.com { enabled on; publish { grace 0; } http_remux { enabled on; } }"
    with Broadcast(server.rtmp, "stay"), Player(server.http, "/live/stay.flv") as player:
        player.frames(5)
        lines = server.change((text, text + extra))
        assert change_of(lines, "vhost tv.example.com") == ("none -> on", "at once")
        with Publisher(server.rtmp) as publisher:
            publisher.publish("x", tc_url="rtmp://tv.example.com/live")
            publisher.tags([*headers(), *film(5)])
            with Player(server.http, "/live/x.flv?vhost=tv.example.com") as other:
                other.frames(1)
                after = extra.replace("enabled on", "enabled off", 1) if how == "disabled" else ""
                lines = server.change((extra, after))
                if how == "disabled":
                    assert change_of(lines, "vhost tv.example.com.enabled") == ("on -> off", "at once")
                else:
                    assert change_of(lines, "vhost tv.example.com") == ("on -> none", "at once")
                assert "2 clients are disconnected" in lines[-1]
                assert publisher.closed()
                other.rest()
        until(lambda: "x" not in server.streams(), "end of the stream")
        with Publisher(server.rtmp) as publisher:
            # Without the vhost, the default one takes its clients. A disabled one is refused.
            if how == "removed":
                publisher.publish("x", tc_url="rtmp://tv.example.com/live")
            else:
                with pytest.raises((Refused, AssertionError, ConnectionError)):
                    publisher.publish("x", tc_url="rtmp://tv.example.com/live")
        player.frames(5)
        check_complete(player)


# --- options of running streams ------------------------------------------------------------------


def test_the_merge_window_of_running_players_changes(make: Make, tmp_path: Path) -> None:
    pair, tls = make_pair(tmp_path), free_ports(1)[0]
    server = make(
        vhost_text(publish=LEAN).replace(MOUNTS, f"mount {FLV} {FLV.replace('flv', 'ts')};"),
        web=f"https {{ enabled on; listen {tls}; cert {pair.cert}; key {pair.key}; }}",
    )
    ports = Ports(server.rtmp, server.http, tls)
    with Crowd() as crowd, Studio(server.rtmp, ["one"]) as studio:
        until(lambda: "one" in server.streams(), "publish")
        players = [crowd.add(viewer(ports, output, "one")) for output in ("flv", "https", "ws", "ts")]

        def sends_a_picture() -> list[float]:
            """Sends of the server to each player by pictures published, over 2 s of media."""
            pictures, sends = studio.pictures, [player.sends for player in players]
            until(lambda: studio.pictures >= pictures + 50, "50 pictures", 20)
            spent = studio.pictures - pictures
            return [(player.sends - before) / spent for player, before in zip(players, sends, strict=True)]

        until(lambda: all(player.received > 5000 for player in players), "media", 10)
        before = sends_a_picture()
        lines = server.change(("mw_latency 0;", "mw_latency 500;"))
        assert change_of(lines, f"{DEFAULT}.play.mw_latency") == ("0 -> 500", "at once")
        merged = sends_a_picture()
        server.change(("mw_latency 500;", "mw_latency 0;"))
        after = sends_a_picture()
        told = f"{before} -> {merged} -> {after}"
        assert max(merged) < 0.3, told
        assert min(*before, *after) > 0.6, told
        assert not crowd.over() and not studio.lost


def test_a_viewer_that_lags_is_closed_once_the_limit_is_lowered(make: Make) -> None:
    play = "mw_latency 0; lag_drop 600000; lag_jump 600000; lag_close 600000;"
    server = make(vhost_text(play=play, publish=LEAN))
    with Broadcast(server.rtmp, "fat", size=100_000), Player(server.http, "/live/fat.flv") as reader:
        reader.frames(2)
        with (
            Player(server.http, "/live/fat.flv", buffer=4096) as lazy,
            RtmpPlayer(server.rtmp, buffer=4096).open("fat"),
        ):
            lazy.head()

            def lags() -> list[int]:
                return sorted(row["lag_ms"] for row in server.clients() if not row["publish"])

            until(lambda: reader.frames(5) and sum(lag > 3000 for lag in lags()) == 2, "two that lag", 30)
            assert not server.gone()
            lines = server.change((play, "mw_latency 0; lag_drop 400; lag_jump 500; lag_close 1000;"))
            assert change_of(lines, f"{DEFAULT}.play.lag_close") == ("600000 -> 1000", "at once")
            until(lambda: reader.frames(5) and len(server.gone()) == 2, "the end of two players", 20)
            assert all("left: too slow" in line for line in server.gone())
        reader.frames(5)


def test_the_gop_cache_is_switched_off_and_on_for_those_who_join(make: Make) -> None:
    server = make(vhost_text(publish=LEAN))
    with Publisher(server.rtmp) as publisher:
        publisher.publish("gop")
        publisher.tags([*headers(), *film(10, gop=1000)])
        at = 10

        def first_of(player: Player) -> int:
            """Publish up to the next keyframe and behind; the number of the first picture that came."""
            nonlocal at
            for number in range(at, at + 10):
                publisher.tag(VIDEO, 40 * number, picture(number, key=number == at + 5))
            at += 10
            player.frames(1)
            return numbers(player)[0]

        with Player(server.http, "/live/gop.flv") as player:
            player.frames(1)
            assert numbers(player)[0] == 0
        lines = server.change(("mw_latency 0;", "mw_latency 0; gop_cache off;"))
        assert change_of(lines, f"{DEFAULT}.play.gop_cache") == ("on -> off", "at once")
        with Player(server.http, "/live/gop.flv") as player:
            player.head()
            server.watches(2)
            assert first_of(player) == 15
        server.change(("gop_cache off;", ""))
        with Player(server.http, "/live/gop.flv") as player:
            player.head()
            server.watches(2)
            key = at + 5
            # What was published while the cache was off may be kept again or not: then it starts at the next one.
            assert first_of(player) in (15, key)
        with Player(server.http, "/live/gop.flv") as player:
            player.frames(1)
            assert numbers(player)[0] == key


def test_the_grace_of_a_running_stream_is_shortened_and_lengthened(make: Make) -> None:
    server = make(vhost_text(publish="grace 60;"))
    with Publisher(server.rtmp) as publisher:
        publisher.publish("short")
        publisher.tags([*headers(), *film(10)])
        player = Player(server.http, "/live/short.flv").frames(10)
        publisher.finish()
    until(lambda: not server.streams()["short"]["publish"]["active"], "unpublish")
    lines = server.change(("grace 60;", "grace 0;"))
    assert change_of(lines, f"{DEFAULT}.publish.grace") == ("60 -> 0", "at once")
    player.rest()
    assert player.clean
    player.close()
    until(lambda: "short" not in server.streams(), "end")
    with Publisher(server.rtmp) as publisher:
        publisher.publish("long")
        publisher.tags([*headers(), *film(10)])
        player = Player(server.http, "/live/long.flv").frames(10)
        server.change(("grace 0;", "grace 60;"))
        publisher.finish()
    until(lambda: not server.streams()["long"]["publish"]["active"], "unpublish")
    with Publisher(server.rtmp) as publisher:
        publisher.publish("long")
        publisher.tags([*headers(), *film(10, first=50)])
        player.until(lambda me: numbers(me)[-1] == 59)
    player.close()


def test_a_silent_publisher_is_disconnected_once_its_patience_is_shortened(make: Make) -> None:
    server = make(vhost_text(publish="grace 0; normal_timeout 600000;"))
    with Publisher(server.rtmp) as publisher:
        publisher.publish("mute")
        publisher.tags([*headers(), *film(5)])
        server.watches(1)
        server.change(("normal_timeout 600000;", "normal_timeout 1000;"))
        assert publisher.closed()
    server.log.wait("no media for 1 s")


# --- HLS -----------------------------------------------------------------------------------------


def playlist(server: ChangingServer, name: str) -> str:
    with urllib.request.urlopen(f"http://{HOST}:{server.http}/live/{name}.m3u8", timeout=15) as answer:
        return str(answer.read().decode())


def test_hls_of_a_running_stream_is_changed_switched_off_and_on(make: Make) -> None:
    hls = "hls { enabled on; hls_ctx off; hls_fragment 1; hls_window 60; }"
    server = make(vhost_text(publish=LEAN, more=hls))

    def lengths() -> list[float]:
        return [float(word) for word in re.findall(r"#EXTINF:([\d.]+)", playlist(server, "seg"))]

    with Broadcast(server.rtmp, "seg", speed=4), Player(server.http, "/live/seg.flv") as player:
        until(lambda: len(lengths()) >= 3, "three segments", 20)
        assert max(lengths()) < 1.5
        lines = server.change(("hls_fragment 1;", "hls_fragment 3;"))
        assert change_of(lines, f"{DEFAULT}.hls.hls_fragment") == ("1 -> 3", "at once")
        until(lambda: sum(length > 2.5 for length in lengths()) >= 2, "longer segments", 20)
        assert len(lengths()) > 4
        lines = server.change(("hls_window 60;", "hls_window 3;"))
        assert change_of(lines, f"{DEFAULT}.hls.hls_window") == ("60 -> 3", "at once")
        until(lambda: len(lengths()) <= 4, "a shorter playlist", 20)
        lines = server.change(("hls { enabled on;", "hls { enabled off;"))
        assert change_of(lines, f"{DEFAULT}.hls.enabled") == ("on -> off", "at once")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            playlist(server, "seg")
        server.change(("hls { enabled off;", "hls { enabled on;"))
        until(lambda: len(lengths()) >= 1, "a segment", 20)
        player.frames(5)


def test_a_template_that_changes_waits_for_the_next_publish_and_the_log_says_so(make: Make) -> None:
    hls = "hls { enabled on; hls_ctx off; hls_fragment 1; hls_m3u8_file [app]/[stream].m3u8; }"
    server = make(vhost_text(publish=LEAN, more=hls))
    with Broadcast(server.rtmp, "seg", speed=4):
        until(lambda: "#EXTINF" in playlist(server, "seg"), "a segment", 20)
        lines = server.change(
            ("hls_m3u8_file [app]/[stream].m3u8;", "hls_m3u8_file new/[app]/[stream].m3u8;")
        )
        assert any(
            "hls_m3u8_file counts for running streams from their next publish on" in line for line in lines
        )
        assert "#EXTINF" in playlist(server, "seg")
    until(lambda: "seg" not in server.streams(), "end")
    with Broadcast(server.rtmp, "seg", speed=4):
        until(lambda: "seg" in server.streams(), "publish")
        with urllib.request.urlopen(f"http://{HOST}:{server.http}/new/live/seg.m3u8", timeout=15) as answer:
            assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError, match="404"):
            playlist(server, "seg")


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


# --- access --------------------------------------------------------------------------------------


def test_rules_disconnect_those_who_are_refused_now_and_nobody_else(make: Make, tmp_path: Path) -> None:
    pair, tls = make_pair(tmp_path), free_ports(1)[0]
    endings = " ".join(f"[vhost]/[app]/[stream].{ending}" for ending in ("flv", "ts", "aac"))
    server = make(
        vhost_text(publish=LEAN, more="hls { enabled on; hls_fragment 1; }").replace(
            MOUNTS, f"mount {endings};"
        ),
        web=f"https {{ enabled on; listen {tls}; cert {pair.cert}; key {pair.key}; }}",
    )
    ports = Ports(server.rtmp, server.http, tls)
    with (
        Crowd() as crowd,
        Studio(server.rtmp, ["one"]) as studio,
        Publisher(server.rtmp, source=OTHER) as other,
    ):
        other.publish("two")
        other.tags([*headers(), *film(5)])
        until(lambda: "one" in server.streams(), "publish")
        for output in OUTPUTS:
            for source in (HOST, OTHER):
                crowd.add(viewer(ports, output, "one", source))
        until(lambda: all(each.received > 5000 for each in crowd.viewers), "media for all", 30)
        lines = server.change(("publish {", f"security {{ enabled on; deny play {OTHER}; }} publish {{"))
        assert change_of(lines, f"{DEFAULT}.security") == (f"none -> deny play {OTHER}", "at once")
        assert f"{len(OUTPUTS)} clients are disconnected" in lines[-1]
        until(lambda: len(crowd.over(OTHER)) == len(OUTPUTS), "the end of those who are refused", 15)
        assert not crowd.over(HOST)
        assert {each.output: each.over for each in crowd.over() if each.output == "hls"} == {"hls": "403"}
        for output in ("flv", "https", "ts", "aac", "hls"):
            fresh = crowd.add(viewer(ports, output, "one", OTHER))
            until(lambda fresh=fresh: fresh.over == "403", f"{output} refused", 10)  # type: ignore[misc]
        fresh = crowd.add(viewer(ports, "ws", "one", OTHER))
        until(lambda: fresh.over == "code 3003", "ws refused", 10)
        with RtmpPlayer(server.rtmp, source=OTHER) as late:
            late.open("one").told("NetStream.Play.Failed")
        # The publisher from there may go on until a rule is for publishers.
        other.tags(film(5, start=200))
        lines = server.change((f"deny play {OTHER};", f"deny publish {OTHER};"))
        assert "1 clients are disconnected" in lines[-1]
        assert other.closed()
        with Publisher(server.rtmp, source=OTHER) as again, pytest.raises(Refused):
            again.publish("three")
        for output in OUTPUTS:
            back = crowd.add(viewer(ports, output, "one", OTHER))
            until(lambda back=back: back.received > 5000, f"{output} admitted again", 15)  # type: ignore[misc]
        assert not crowd.over(HOST), crowd.over(HOST)
        assert not studio.lost


def test_a_player_that_waits_is_refused_when_its_stream_comes_after_the_rule(make: Make) -> None:
    server = make(vhost_text(publish=LEAN, remux="on_missing 30;"))
    with Player(server.http, "/live/later.flv") as player:
        until(
            lambda: re.search(r"^fastflv_requests_waiting 1$", metrics(server), re.M), "a player that waits"
        )
        server.change(("publish {", "security { enabled on; allow publish all; } publish {"))
        with Broadcast(server.rtmp, "later"):
            assert player.head().status == 403


def test_a_page_that_may_not_embed_any_more_is_disconnected(make: Make) -> None:
    server = make(vhost_text(publish=LEAN))
    pages = [f"Referer: http://{host}/watch" for host in ("good.example.com", "bad.example.org")]
    with Broadcast(server.rtmp, "one"), ExitStack() as stack:
        good, bad = (
            stack.enter_context(Player(server.http, "/live/one.flv", headers=(page,))).frames(2)
            for page in pages
        )
        lines = server.change(("publish {", "refer { enabled on; play example.com; } publish {"))
        assert "1 clients are disconnected" in lines[-1]
        bad.rest()
        assert [status(server.http, "/live/one.flv", page) for page in pages] == [200, 403]
        check_complete(good.frames(10))


def metrics(server: ChangingServer) -> str:
    with urllib.request.urlopen(f"http://{HOST}:{server.api}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def test_the_api_asks_for_a_password_and_not_any_more(make: Make) -> None:
    server = make()
    block = f"http_api {{ enabled on; listen {server.api};"
    assert status(server.api, "/api/v1/streams", method="GET") == 200
    lines = server.change((block, f"{block} auth {{ enabled on; username me; password secret-one; }}"))
    assert change_of(lines, "http_api.auth.password") == ("(hidden) -> (hidden)", "at once")
    assert not any("secret-one" in line for line in server.log.lines)
    assert status(server.api, "/api/v1/streams", method="GET") == 401
    word = base64.b64encode(b"me:secret-one").decode()
    assert status(server.api, "/api/v1/streams", f"Authorization: Basic {word}", method="GET") == 200
    server.change(("auth { enabled on;", "auth { enabled off;"))
    assert status(server.api, "/api/v1/streams", method="GET") == 200


def test_crossdomain_is_switched_off_and_on(make: Make) -> None:
    server = make()

    def open_to_all(port: int, path: str) -> bool:
        with Player(port, path, headers=("Origin: http://elsewhere.example.com",), flv=False) as player:
            return player.head().headers.get("access-control-allow-origin") == "*"

    both = [(server.http, "/nothing.txt"), (server.api, "/api/v1/versions")]
    assert [open_to_all(*each) for each in both] == [True, True]
    lines = server.change(("http_api { enabled on;", "http_api { enabled on; crossdomain off;"))
    assert change_of(lines, "http_api.crossdomain") == ("on -> off", "at once")
    assert [open_to_all(*each) for each in both] == [True, False]
    lines = server.change(
        ("crossdomain off;", ""), ("http_server { enabled on;", "http_server { enabled on; crossdomain off;")
    )
    # The API follows the server where it says nothing itself.
    assert change_of(lines, "http_server.crossdomain") == ("on -> off", "at once")
    assert [open_to_all(*each) for each in both] == [False, False]
    server.change(("crossdomain off;", ""))
    assert [open_to_all(*each) for each in both] == [True, True]


def test_the_log_level_changes(make: Make) -> None:
    server = make(vhost_text(publish=LEAN))

    def logged(name: str) -> bool:
        """Whether a publish is in the log once it is over."""
        with Publisher(server.rtmp) as publisher:
            publisher.publish(name)
            server.watches(1)
        server.watches(0)
        # A request of the API was answered in between: what is to be written is written.
        return bool(server.log.find(f"publishes /live/{name}"))

    assert logged("loud")
    lines = server.change(("srs_log_tank console;", "srs_log_tank console; srs_log_level error;"))
    assert change_of(lines, "srs_log_level") == ("info -> error", "at once")
    assert not logged("quiet")
    server.edit(("srs_log_level error;", ""))
    os.kill(server.pid, signal.SIGHUP)
    until(lambda: logged(f"again{time.monotonic_ns()}"), "lines in the log", 15)


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


def test_trusted_proxies_change_for_the_requests_that_follow(make: Make) -> None:
    rule = f"security {{ enabled on; allow publish all; allow play {OTHER}; }}"
    server = make(vhost_text(publish=LEAN, more=rule))
    claim = f"X-Forwarded-For: {OTHER}"
    with Broadcast(server.rtmp, "one"):
        until(lambda: "one" in server.streams(), "publish")
        assert status(server.http, "/live/one.flv", claim) == 403
        server.change(("daemon off;", f"daemon off; trusted_proxies {HOST};"))
        assert status(server.http, "/live/one.flv", claim) == 200
        server.change((f"trusted_proxies {HOST};", ""))
        assert status(server.http, "/live/one.flv", claim) == 403


# --- without a signal ----------------------------------------------------------------------------


def test_a_file_that_changes_is_read_without_a_signal(make: Make, tmp_path: Path) -> None:
    part = tmp_path / "limit.conf"
    part.write_text("max_connections 500;\n")
    server = make(more="inotify_auto_reload on;")
    text = server.file.read_text().replace("max_connections 1000;", f"include {part};")
    server.rewrite(text)
    lines = server.reloaded(0)
    assert any("max_connections: 1000 -> 500, at once" in line for line in lines)
    mark = len(server.log.lines)
    part.write_text("max_connections 600;\n")
    lines = server.reloaded(mark)
    assert any(re.search(r"limit\.conf:1: max_connections: 500 -> 600, at once", line) for line in lines)
    # A bad file is refused once, and the watch goes on.
    mark = len(server.log.lines)
    part.write_text("max_connections none;\n")
    line = server.expect_error("the configuration stays as it is", mark)
    assert "a configuration file has changed" in line and "limit.conf:1" in line
    part.write_text("max_connections 700;\n")
    lines = server.reloaded(mark)
    assert any("max_connections: 600 -> 700" in line for line in lines)
    mark = len(server.log.lines)
    server.rewrite(text.replace("inotify_auto_reload on;", ""))
    server.reloaded(mark)
    mark = len(server.log.lines)
    part.write_text("max_connections 800;\n")
    assert any("700 -> 800" in line for line in server.reload())
    assert len(server.log.find("is in force", mark)) == 1


def test_a_symbolic_link_that_is_swapped_is_read_without_a_signal(tmp_path: Path) -> None:
    # A ConfigMap of Kubernetes: server.conf -> ..data/server.conf, and ..data is renamed over.
    rtmp, http, api = free_ports(3)
    text = (
        f"listen {rtmp}; daemon off; srs_log_tank console; max_connections LIMIT; inotify_auto_reload on;"
        f"http_server {{ enabled on; listen {http}; }} http_api {{ enabled on; listen {api}; }}"
        + vhost_text()
    )
    for limit in (500, 600):
        (tmp_path / f"..{limit}").mkdir()
        (tmp_path / f"..{limit}" / "server.conf").write_text(text.replace("LIMIT", str(limit)))
    (tmp_path / "..data").symlink_to("..500")
    (tmp_path / "server.conf").symlink_to("..data/server.conf")
    process = start(["-c", str(tmp_path / "server.conf")])
    log = Log(process.stderr)
    try:
        log.wait("ask http", timeout=40)
        (tmp_path / "..fresh").symlink_to("..600")
        (tmp_path / "..fresh").replace(tmp_path / "..data")
        log.wait(r"a configuration file|max_connections: 500 -> 600, at once")
        log.wait("configuration 2 is in force")
    finally:
        assert stop(process) == 0, log.text()
    assert not log.find("ERROR|Traceback"), log.text()


def test_relative_paths_of_the_files_start_where_the_server_did_whatever_work_dir_says(
    tmp_path: Path,
) -> None:
    import subprocess
    import sys

    rtmp, http, api = free_ports(3)
    (tmp_path / "conf").mkdir()
    (tmp_path / "elsewhere").mkdir()
    part = tmp_path / "conf" / "limit.conf"
    part.write_text("max_connections 500;\n")
    (tmp_path / "conf" / "server.conf").write_text(
        f"listen {rtmp}; daemon off; srs_log_tank file; srs_log_file objs/server.log; work_dir {tmp_path}/elsewhere;\n"
        f"include conf/limit.conf;\ninotify_auto_reload on;\n"
        f"http_server {{ enabled on; listen {http}; }} http_api {{ enabled on; listen {api}; }}"
        + vhost_text()
    )
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "fastflv", "-c", "conf/server.conf"],
        cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    log = tmp_path / "elsewhere" / "objs" / "server.log"

    def logged(pattern: str) -> bool:
        return log.exists() and re.search(pattern, log.read_text()) is not None

    try:
        until(lambda: logged("ask http"), "start", 40)
        part.write_text("max_connections 600;\n")
        process.send_signal(signal.SIGHUP)
        until(lambda: logged(r"conf/limit\.conf:1: max_connections: 500 -> 600, at once"), "reload", 15)
        part.write_text("max_connections 700;\n")
        until(lambda: logged("max_connections: 600 -> 700, at once"), "reload without a signal", 15)
    finally:
        assert stop(process) == 0
    assert "ERROR" not in log.read_text()
