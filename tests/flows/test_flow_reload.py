"""SIGHUP: a new configuration takes the place of the old one, and nobody leaves who may stay."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest
from broadcast import Broadcast
from model.ports import free_ports
from player import Player, check_complete
from publisher import Publisher, Refused, film, headers
from reloading import DEFAULT, LEAN, MOUNTS, Make, change_of, refused, status
from server import HOST, until, vhost_text

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
        ("mw_latencyy 5;", r"server\.conf:\d+:\d+: .*mw_latency"),
        ("mw_latency many;", r"server\.conf:\d+:\d+: "),
        ("mw_latency 5; }", r"server\.conf:\d+:\d+: "),
        (
            "mw_latency 5; } security { allow play nobody; } play {",
            r"server\.conf:\d+:\d+: .*allow play nobody",
        ),
        ("mw_latency 5; } http_remux { mount /live/a.flv; } play {", r"server\.conf:\d+:\d+: "),
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
