"""`limits { }` with real encoders and players: what each protocol is told, and who stays."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from audience import Audience
from clip import Clip, end, push
from flvread import Tag, media
from httppush import HttpPush
from player import Player
from prometheus_client.parser import text_string_to_metric_families
from publisher import Publisher
from rtmpplayer import RtmpPlayer
from server import HOST, Server, until, vhost_text


def limited(server: Server) -> dict[str, float]:
    """Refusals by name of the limit."""
    with urllib.request.urlopen(f"http://{HOST}:{server.api}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        sample.labels["limit"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "fastflv_limited_total"
    }


def refusal(server: Server, path: str) -> tuple[int, int, str]:
    """Status, Retry-After and text of an answer that is an error."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://{HOST}:{server.http}{path}", timeout=10)
    error = caught.value
    return error.code, int(error.headers["Retry-After"]), error.read().decode()


def test_an_address_that_has_enough_is_told_so_by_each_protocol(
    serve: Callable[..., Server], h264: Clip
) -> None:
    server = serve(vhost_text(), more="limits { conn ip 3; publish ip 1; }")
    process = push(h264.path, server.publish_url("one"), loop=True)
    until(lambda: "one" in server.streams(), "publish", 15)
    with Player(server.http, "/live/one.flv") as first, Player(server.http, "/live/one.flv") as second:
        for player in (first, second):
            player.until(lambda me: len(me.tags) > 5)
        status, seconds, text = refusal(server, "/live/one.flv")
        assert (status, seconds) == (429, 10)
        assert text == "/live/one: limits 'conn ip 3' is reached"
        with RtmpPlayer(server.rtmp) as third:
            third.open("one").told("NetStream.Play.Failed")
        second.close()
        until(lambda: len(server.clients()) == 2, "one player less", 10)
        denied = push(h264.path, server.publish_url("two"))
        denied.communicate(timeout=20)
        assert denied.returncode != 0
        server.log.wait(r"of /live/two refused: too many, limits 'publish ip 1' is reached")
        first.until(lambda me: len(me.tags) > 20)
    assert limited(server)["publish ip"] >= 1
    assert limited(server)["conn ip"] == 2
    end(process)


def test_a_publisher_that_sends_too_much_is_closed_and_another_is_not(
    serve: Callable[..., Server], h264: Clip
) -> None:
    server = serve(vhost_text(more="limits { ingest_rate 1m; }"))
    even = push(h264.path, server.publish_url("even"), loop=True)
    until(lambda: "even" in server.streams(), "publish", 15)
    headers = [tag for tag in h264.flv.tags if tag.is_config]
    picture = next(tag for tag in media(h264.flv.tags) if tag.is_key)
    with Publisher(server.rtmp) as much:
        much.publish("much")
        much.tags(headers)
        body = picture.body + bytes(50_000)
        for number in range(1200):
            # 8 Mbit/s.
            try:
                much.tags([picture._replace(time=50 * number, body=body)])
            except OSError:
                break
            if server.log.find("of /live/much left"):
                break
            time.sleep(0.05)
    line = server.log.wait(r"publisher \w+ of /live/much left", timeout=60)
    assert "above ingest_rate" in line
    assert server.streams()["even"]["publish"]["active"]
    assert limited(server)["ingest_rate"] >= 1
    end(even)


def test_nobody_more_may_play_while_too_much_is_sent_and_players_stay(
    serve: Callable[..., Server], h264: Clip
) -> None:
    server = serve(vhost_text(more="limits { send_rate stream 200k; }"))
    process = push(h264.path, server.publish_url("one"), loop=True)
    until(lambda: "one" in server.streams(), "publish", 15)
    with Player(server.http, "/live/one.flv") as first:
        first.until(lambda me: len(me.tags) > 5)

        def full() -> bool:
            try:
                with Player(server.http, "/live/one.flv", flv=False) as more:
                    return more.head().status == 503
            except OSError:
                return False

        until(full, "the stream has its rate", 30)
        status, seconds, text = refusal(server, "/live/one.flv")
        assert (status, seconds) == (503, 10)
        assert "limits 'send_rate stream 200k' is reached" in text
        before = len(first.tags)
        first.until(lambda me: len(me.tags) > before + 50)
    until(lambda: not full(), "room again", 60)
    end(process)


def test_connections_of_every_protocol_give_their_places_back(
    serve: Callable[..., Server], h264: Clip
) -> None:
    mounts = "mount [vhost]/[app]/[stream].flv [vhost]/[app]/[stream].ts;"
    server = serve(vhost_text(remux=mounts), more="limits { accept ip 6; }")
    process = push(h264.path, server.publish_url("one"), loop=True)
    until(lambda: "one" in server.streams(), "publish", 15)
    for _ in range(4):
        audience = Audience(server, "one", ("flv", "ws", "rtmp", "ts")).ready()
        with HttpPush(server.http, "/live/two.flv") as feed:
            feed.begin(flv_tags(h264))
            until(lambda: "two" in server.streams(), "another publisher", 10)
            with pytest.raises(OSError):
                urllib.request.urlopen(f"http://{HOST}:{server.http}/nothing", timeout=10)
        for seat in audience.seats.values():
            seat.player.close()
        until(lambda: len(server.clients()) == 1, "the end of all but one", 10)
    assert limited(server) == {"accept ip": 4}
    end(process)


def flv_tags(clip: Clip) -> list[Tag]:
    return list(clip.flv.tags[:40])
