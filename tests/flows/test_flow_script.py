"""Script data of a publisher, as onFI and onCuePoint: in its place and at its time in every output that carries it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from flvread import AUDIO, SCRIPT, VIDEO, Tag, media
from httppush import HttpPush
from player import Player
from publisher import Publisher, film, headers
from rtmpplayer import RtmpPlayer
from rtmpsite import numbers
from server import Server, vhost_text
from wsclient import WebSocket

from fastflv import limits
from fastflv.media.amf import amf0

Send = Callable[[list[Tag]], object]


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(vhost_text(remux="mount [vhost]/[app]/[stream].ts;"))


@contextmanager
def rtmp(server: Server, name: str, first: list[Tag]) -> Iterator[Send]:
    with Publisher(server.rtmp) as publisher:
        publisher.publish(name)
        publisher.tags(first)
        yield publisher.tags


@contextmanager
def http(server: Server, name: str, first: list[Tag]) -> Iterator[Send]:
    with HttpPush(server.http, f"/live/{name}.flv") as push:
        push.begin(first)
        yield push.tags


INPUTS = pytest.mark.parametrize("publish", [rtmp, http])


def script(time: int, number: int, name: str = "onFI") -> Tag:
    return Tag(SCRIPT, time, amf0.encode(name, {"number": float(number), "st": "12:00:00.0"}))


def told(count: int, start: int) -> list[Tag]:
    """Pictures and sounds, with script data behind each picture, behind each sound, and between the frames."""
    tags: list[Tag] = []
    for number, tag in enumerate(film(count, gop=1000, start=start, first=1)):
        late = 5 if tag.kind == VIDEO else 20
        tags += [tag, script(tag.time + late, number), script(tag.time + late, number, "onCuePoint")]
    return tags


def bodies(tags: list[Tag]) -> list[Tag]:
    """What comes behind the first picture of `told`: frames and script data but metadata."""
    seen = [tag for tag in tags if tag.kind != SCRIPT or b"onMetaData" not in tag.body]
    return [tag for tag in seen if tag.time >= 400]


@INPUTS
def test_script_data_keeps_its_place_and_time_in_flv_websocket_and_rtmp(server: Server, publish) -> None:
    name = f"script{publish.__name__}"
    sent = told(20, 400)
    with publish(server, name, [*headers(), *film(10)]) as send, ExitStack() as stack:
        players = [
            stack.enter_context(Player(server.http, f"/live/{name}.flv")),
            stack.enter_context(WebSocket(server.http, f"/live/{name}.flv")),
            stack.enter_context(RtmpPlayer(server.rtmp).open(name)),
        ]
        for player in players:
            player.frames(5)
        audio = stack.enter_context(Player(server.http, f"/live/{name}.flv?only=audio"))
        audio.until(lambda me: len(me.tags) >= 2)
        ts = stack.enter_context(Player(server.http, f"/live/{name}.ts", flv=False))
        ts.until(lambda me: len(me.body) > 188 * 20)
        send(sent)
        send(list(film(2, gop=1, start=1240, first=100)))
        for player in players:
            player.until(lambda me: any(tag.time >= 1280 for tag in me.tags))
            assert bodies(player.tags)[: len(sent)] == sent
        audio.until(lambda me: any(tag.time >= 1280 for tag in me.tags))
        without = [tag for tag in sent if tag.kind != VIDEO]
        assert bodies(audio.tags)[: len(without)] == without
        ts.until(lambda me: len(me.body) > 188 * 60)
        assert b"onFI" not in ts.body and b"onCuePoint" not in ts.body
        assert all(ts.body[at] == 0x47 for at in range(0, len(ts.body) - 187, 188))


@INPUTS
def test_script_data_that_claims_another_time_stands_at_the_newest_frame(server: Server, publish) -> None:
    name = f"claims{publish.__name__}"
    claims = [0, 60_000, 2**31, 2**32 - 1]
    with (
        publish(server, name, [*headers(), *film(100)]) as send,
        Player(server.http, f"/live/{name}.flv") as player,
    ):
        player.frames(20)
        send([script(time, time) for time in claims])
        send(list(film(1, start=4000, first=100)))
        player.until(lambda me: numbers(me.tags)[-1] == 100)
        newest = next(tag.time for tag in player.tags if b"onFI" in tag.body)
        last = media(player.tags, VIDEO)[-1].time
        assert last - newest == 4000 - 3970
        assert [tag.time for tag in player.tags if b"onFI" in tag.body] == [newest] * len(claims)


@INPUTS
def test_script_data_over_the_bound_is_left_out_and_the_stream_goes_on(server: Server, publish) -> None:
    name = f"large{publish.__name__}"
    large = Tag(SCRIPT, 400, amf0.encode("onFI", "x" * limits.COMMAND_BYTES_MAX))
    with (
        publish(server, name, [*headers(), *film(10)]) as send,
        Player(server.http, f"/live/{name}.flv") as player,
    ):
        player.frames(5)
        send([large, script(400, 7), *film(1, start=400, first=10)])
        player.until(lambda me: me.tags[-1].time >= 400 and me.tags[-1].kind == AUDIO)
        scripts = [tag.body for tag in player.tags if b"onFI" in tag.body]
        assert scripts == [script(400, 7).body]


def test_a_push_of_endless_script_data_is_ended_as_a_publish_by_rtmp_is(server: Server) -> None:
    with HttpPush(server.http, "/live/endless.flv") as push:
        push.begin([*headers(), *film(10)])
        push.tags([script(400, number) for number in range(limits.NONMEDIA_MESSAGES_MAX)])
        answer = push.answer()
    assert answer.status == 400 and "messages besides media" in answer.text
