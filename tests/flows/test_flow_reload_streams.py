"""A reload acts on running streams, their publishers, their players and their HLS."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from broadcast import Broadcast
from crowd import Crowd, Ports, Studio, viewer
from flvread import VIDEO
from model.ports import free_ports
from player import Player, numbers
from publisher import Publisher, film, headers, picture
from reloading import DEFAULT, FLV, LEAN, MOUNTS, ChangingServer, Make, change_of
from rtmpplayer import RtmpPlayer
from server import HOST, until, vhost_text
from tlsfiles import make_pair

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
            until(lambda: server.streams()["gop"]["frames"] >= at, "pictures")
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
        # The target duration of a playlist does not change, so longer segments need another one.
        waits = "hls_fragment counts for running streams from their next publish on"
        assert any(waits in line for line in lines)
        count = len(lengths())
        until(lambda: len(lengths()) >= count + 3, "more segments", 20)
        assert max(lengths()) < 1.5
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
