"""Two encoders of one stream: the players of every protocol go on when one of them hangs or leaves.

Publishers are real ffmpegs that send the same film with B-frames, half a GOP apart.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audience import Audience, check_times
from clip import Clip, end, push
from flvread import VIDEO, media
from publisher import Publisher, film, headers
from server import HOST, Server, until, vhost_text

TAKEN = vhost_text(publish="grace 5; failover 400; takeover on; backup_suffix _b;")


def publish_row(server: Server, name: str) -> dict[str, Any]:
    row: dict[str, Any] = server.streams().get(name, {}).get("publish", {})
    return row


def test_players_go_on_when_an_encoder_hangs_and_when_the_other_one_leaves(
    serve: Callable[..., Server], film: Clip, tmp_path: Path
) -> None:
    server = serve(vhost_text(publish="grace 1; failover 1500;", remux="mount [vhost]/[app]/[stream].ts;"))
    # Loops of ffmpeg send header and metadata once.
    primary = push(film.path, server.publish_url("x"), loop=True)
    until(lambda: publish_row(server, "x").get("active"), "the primary publishes", 15)
    backup = push(film.path, f"http://{HOST}:{server.http}/live/x.flv?role=backup", loop=True)
    stopped = False
    try:
        until(lambda: publish_row(server, "x")["standby"], "the backup stands by", 15)
        ids = publish_row(server, "x")["cid"], publish_row(server, "x")["standby"]
        states = {row["id"]: (row["state"], row["role"]) for row in server.clients() if row["publish"]}
        assert states == {ids[0]: ("publishing", "primary"), ids[1]: ("standby", "backup")}
        audience = Audience(server, "x").ready()
        here = {row["id"] for row in server.clients() if not row["publish"]}
        os.kill(primary.pid, signal.SIGSTOP)
        stopped = True
        until(lambda: publish_row(server, "x")["cid"] == ids[1], "the backup is played", 10)
        row = publish_row(server, "x")
        assert (row["active"], row["role"], row["state"]) == (True, "backup", "live")
        before = {protocol: seat.size for protocol, seat in audience.seats.items()}
        audience.wait(lambda seat: seat.size > before[seat.protocol] + 20, "media of the backup")
        os.kill(primary.pid, signal.SIGCONT)
        stopped = False
        until(lambda: publish_row(server, "x")["standby"] == ids[0], "the primary stands by")
        before = {protocol: seat.size for protocol, seat in audience.seats.items()}
        end(backup)
        until(lambda: publish_row(server, "x")["cid"] == ids[0], "the primary is played")
        audience.wait(lambda seat: seat.size > before[seat.protocol] + 20, "media of the primary")
        assert {row["id"] for row in server.clients() if not row["publish"]} == here, "players stayed"
    finally:
        if stopped:
            os.kill(primary.pid, signal.SIGCONT)
        end(primary)
        end(backup)
    server.log.wait(f"publisher {ids[1]} of /live/x goes on where {ids[0]} stopped: silent")
    server.log.wait(f"publisher {ids[0]} of /live/x goes on where {ids[1]} stopped: left")
    seats = audience.done(20)
    for protocol in ("flv", "ws", "rtmp"):
        check_times(seats[protocol].tags)
        times = [tag.time for tag in media(seats[protocol].tags, VIDEO)]
        assert all(one < other for one, other in itertools.pairwise(times)), "a time is repeated"
        assert max(other - one for one, other in itertools.pairwise(times)) < 3000
    for seat in seats.values():
        seat.decode(tmp_path)


def test_an_encoder_takes_the_name_of_one_that_hangs_and_a_name_with_the_suffix_is_a_backup(
    serve: Callable[..., Server],
) -> None:
    server = serve(TAKEN)
    stuck = Publisher(server.rtmp).publish("y")
    stuck.tags([*headers(), *film(30)])
    until(lambda: publish_row(server, "y").get("active"), "the stream is live")
    backup = Publisher(server.rtmp).publish("y_b")
    backup.tags([*headers(), *film(30)])
    until(lambda: publish_row(server, "y")["standby"], "the backup stands by")
    assert set(server.streams()) == {"y"}
    first = publish_row(server, "y")["cid"]
    fresh = Publisher(server.rtmp).publish("y")
    fresh.tags([*headers(), *film(30)])
    server.log.wait(rf"publisher \w+ of /live/y goes on where {first} stopped: takeover")
    server.log.wait(f"publisher {first} of /live/y left: taken over")
    assert publish_row(server, "y")["role"] == "primary"
    for each in (stuck, backup, fresh):
        each.close()
