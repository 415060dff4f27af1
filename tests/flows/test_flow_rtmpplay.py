"""RTMP players: what they are sent, how it begins and how it ends. Plain and over TLS."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from broadcast import Broadcast
from clip import Clip
from flvread import AUDIO, SCRIPT, VIDEO, Tag, media
from player import Player, check_start
from publisher import Publisher, Refused, film, headers
from rtmpplayer import RtmpPlayer
from rtmpsite import PLAIN_OR_TLS, Site, check_joined, numbers, open_site
from server import MIB, Server, stop, until

from fastflv.media.amf import amf0

ENDED = "NetStream.Play.UnpublishNotify"


@pytest.fixture(scope="module")
def site(serve: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> Site:
    return open_site(serve, tmp_path_factory.mktemp("tls"))


def configs(tags: list[Tag], kind: int) -> list[bytes]:
    """Sequence headers, not the end of a sequence."""
    return [tag.body for tag in tags if tag.is_config and tag.kind == kind and tag.body[1] == 0]


def by_hand(site: Site, name: str, tags: list[Tag], secure: bool = False, size: int = 0) -> RtmpPlayer:
    """Publish *tags* to a player that waits for them; return it when the stream is over."""
    player = site.player(secure).open(name)
    with Publisher(site.server.rtmp) as publisher:
        publisher.publish(name)
        head = [tag for tag in tags if tag.is_config]
        # The tracks are known with the first frame of each kind.
        first = 1 + max(
            next(i for i, tag in enumerate(media(tags)) if tag.kind == kind) for kind in (AUDIO, VIDEO)
        )
        publisher.tags(head + media(tags)[:first])
        player.until(lambda me: bool(media(me.tags)))
        publisher.tags(media(tags)[first:])
        publisher.finish()
        return player.rest()


# --- what comes ----------------------------------------------------------------------------------


@PLAIN_OR_TLS
def test_every_tag_comes_as_it_was_published(site: Site, h264: Clip, secure: bool) -> None:
    with by_hand(site, f"same{secure:d}", h264.flv.tags, secure) as player:
        check_start(player)
        check_joined(player.tags)
        assert amf0.decode_all(player.tags[0].body)[0] == "onMetaData"
        for kind in (AUDIO, VIDEO):
            assert media(player.tags, kind) == media(h264.flv.tags, kind)
            assert configs(player.tags, kind) == configs(h264.flv.tags, kind)
        assert player.codes == ["NetStream.Play.Reset", "NetStream.Play.Start", ENDED]
        assert player.streams == {1} and player.sizes == [60000]


@PLAIN_OR_TLS
def test_who_joins_late_starts_at_the_newest_keyframe(site: Site, secure: bool) -> None:
    name = f"join{secure:d}"
    with Publisher(site.server.rtmp) as publisher:
        publisher.publish(name)
        publisher.tags([*headers(), *film(1)])
        # Time counts from its first picture.
        first = site.player(secure).open(name).frames(1)
        publisher.tags(film(39, first=1, start=40, gop=24))
        with first.frames(39), site.player(secure).open(name) as player:
            player.frames(15)
            assert numbers(player.tags) == list(range(25, 40))
            check_joined(player.tags)
            assert [tag.time for tag in player.tags[:4]] == [0, 1000, 1000, 1000], "metadata has no time"
            publisher.tags(film(3, first=40, start=1600))
            player.frames(3)
            assert numbers(player.tags) == list(range(25, 43))


@pytest.mark.parametrize("start", [0xFFFFFF - 300, 0x7FFFFFFF - 300, 0xFFFFFFFF - 300])
def test_large_times_are_extended_and_wrap(site: Site, h264: Clip, start: int) -> None:
    sent = [tag._replace(time=(tag.time + start) % 2**32) for tag in h264.flv.tags]
    with by_hand(site, f"time{start}?vhost=raw", sent) as player:
        assert media(player.tags) == media(sent)
        with Publisher(site.server.rtmp) as publisher:
            # Who joins behind the step hears headers of the same time as the keyframe.
            publisher.publish(f"time{start}?vhost=raw")
            publisher.tags(sent)
            until(lambda: site.server.streams()[f"time{start}"]["video_frames"] >= 40, "the clip")
            with site.player().open(f"time{start}?vhost=raw") as other:
                other.frames(10)
                key = next(tag for tag in other.tags if tag.is_key)
                assert [tag.time for tag in other.tags[:3]] == [0, key.time, key.time], "metadata has no time"


def test_the_chunk_size_is_that_of_the_vhost_and_is_told_once(site: Site, h264: Clip) -> None:
    with Broadcast(site.server.rtmp, "sized?vhost=raw", clip=h264, speed=3) as _:
        player = site.player().greet()
        player.connect("live?vhost=raw")
        assert player.sizes == [128]
        # From here on the client writes chunks of one byte: the server must have taken that over.
        player.set_chunk(1)
        player.play("sized")
        player.frames(30)
        check_joined(player.tags)
        assert player.sizes == [128]
        player.close()
        with site.player().open("sized?vhost=raw") as late:
            # Named after connect: the size told there stays.
            late.frames(30)
            assert late.sizes == [60000]


@pytest.mark.parametrize(
    ("query", "kinds"), [("only=audio", {AUDIO}), ("only=video", {VIDEO}), ("only=key", {VIDEO})]
)
def test_a_player_may_ask_for_a_part(site: Site, query: str, kinds: set[int]) -> None:
    with (
        Broadcast(site.server.rtmp, query[5:], speed=10),
        site.player().open(f"{query[5:]}?{query}") as player,
    ):
        player.until(lambda me: len(media(me.tags)) > 5)
        assert {tag.kind for tag in player.tags if tag.kind != SCRIPT} == kinds
        assert query != "only=key" or all(tag.is_key for tag in media(player.tags))
        fields = amf0.decode_all(player.tags[0].body)[1]
        assert isinstance(fields, dict)
        assert ("videocodecid" in fields, "audiocodecid" in fields) == (VIDEO in kinds, AUDIO in kinds)


def test_a_part_that_nobody_knows_is_refused(site: Site) -> None:
    with Broadcast(site.server.rtmp, "part"), site.player().open("part?only=colour") as player:
        player.rest()
        assert player.codes == ["NetStream.Play.Failed"]


def test_fifty_players_get_the_same(site: Site) -> None:
    with Broadcast(site.server.rtmp, "fifty?vhost=merged", speed=2):
        players = [site.player().open("fifty?vhost=merged").frames(1) for _ in range(50)]
        first = max(numbers(player.tags)[0] for player in players)
        for player in players:
            player.until(lambda me: numbers(me.tags)[-1:] > [first + 30])
            check_joined(player.tags)
            assert numbers(player.tags) == list(range(numbers(player.tags)[0], numbers(player.tags)[-1] + 1))
        shared = [
            [tag for tag in media(player.tags) if first * 40 <= tag.time < (first + 30) * 40]
            for player in players
        ]
        assert len(shared[0]) == 60 and all(tags == shared[0] for tags in shared)
        for player in players:
            player.close()
    until(lambda: not site.plays("fifty"), "all gone")


def test_two_streams_do_not_mix(site: Site) -> None:
    with (
        Broadcast(site.server.rtmp, "one", speed=4, size=400),
        Broadcast(site.server.rtmp, "two", speed=4, size=700),
        site.player().open("one") as one,
        site.player().open("two") as two,
    ):
        for _ in range(10):
            one.frames(3)
            two.frames(3)
        for player, size in ((one, 409), (two, 709)):
            assert {len(tag.body) for tag in media(player.tags, VIDEO)} == {size}
            check_joined(player.tags)


# --- how it begins and ends ----------------------------------------------------------------------


@pytest.mark.parametrize(("vhost", "least"), [("soon", 0.9), ("now", 0.0)])
def test_an_absent_stream_is_waited_for_then_refused(site: Site, vhost: str, least: float) -> None:
    began = time.monotonic()
    with site.player().open(f"absent?vhost={vhost}") as player:
        player.rest()
        assert player.codes == ["NetStream.Play.StreamNotFound"] and not player.tags
    assert least <= time.monotonic() - began < 5


def test_a_player_that_leaves_while_it_waits_is_forgotten(site: Site) -> None:
    before = site.server.quiet_fds()
    player = site.player().open("never")
    player.ping(1)
    player.close()
    until(lambda: site.server.fds() == before, "descriptors back")


@PLAIN_OR_TLS
def test_the_end_of_the_publisher_is_told_and_closes(site: Site, secure: bool) -> None:
    with site.player(secure).open(f"end{secure:d}") as player:
        with Broadcast(site.server.rtmp, f"end{secure:d}", speed=5):
            player.frames(10)
        player.rest()
        assert player.codes[-1] == ENDED and not player.chunks.open
        assert player.before[ENDED] == len(player.tags)


@pytest.mark.parametrize("still", [False, True])
@PLAIN_OR_TLS
def test_a_player_that_asks_for_a_time_is_closed_when_it_is_over(
    site: Site, secure: bool, still: bool
) -> None:
    name = f"timed{secure:d}{still:d}"
    with Broadcast(site.server.rtmp, name), site.player(secure).greet().connect("live") as player:
        until(lambda: name in site.server.streams(), "publish")
        began = time.monotonic()
        player.play(name, -1000.0, 800.0).frames(5)
        if still:
            player.say("pause", True, 0.0).told("NetStream.Pause.Notify")
        player.rest()
        assert time.monotonic() - began >= 0.8
        assert player.codes[-1] == ENDED and not player.chunks.open
        site.server.log.wait(f"of /live/{name} left: complete")


def test_a_stream_that_nobody_watched_begins_near_0(site: Site) -> None:
    with Publisher(site.server.rtmp) as publisher:
        publisher.publish("alone")
        # A picture in 5 s, as of a camera at night, for ten minutes.
        publisher.tags([*headers(), *(tag._replace(time=125 * tag.time) for tag in film(120, gop=10))])
        until(lambda: site.server.streams().get("alone", {}).get("frames", 0) >= 120, "all frames")
        with site.player().open("alone") as player, Player(site.server.http, "/live/alone.flv") as other:
            player.frames(1)
            other.frames(1)
            seen = [media(one.tags, VIDEO)[0].time for one in (player, other)]
        assert seen == [0, 0]


@pytest.mark.parametrize("still", ["pause", "receive"])
@PLAIN_OR_TLS
def test_who_wants_nothing_now_hears_of_the_end_too(site: Site, secure: bool, still: str) -> None:
    name = f"still{still}{secure:d}"
    with site.player(secure).open(name) as player:
        with Broadcast(site.server.rtmp, name, speed=5):
            player.frames(10)
            if still == "pause":
                player.say("pause", True, 0.0).told("NetStream.Pause.Notify")
            else:
                player.say("receiveAudio", False).say("receiveVideo", False).heard_of()
            assert player.quiet(0.3)
        player.rest()
        assert player.codes[-1] == ENDED


@PLAIN_OR_TLS
def test_the_operator_sees_and_drops_a_player(site: Site, secure: bool) -> None:
    name = f"kick{secure:d}"
    with Broadcast(site.server.rtmp, name, speed=5), site.player(secure).open(name) as player:
        player.frames(5)
        (row,) = site.plays(name)
        assert row["publish"] is False and row["ip"] == "127.0.0.1"
        assert str(row["tcUrl"]).endswith("/live")
        assert isinstance(row["send_bytes"], int) and row["send_bytes"] > 5 * 500
        assert site.server.ask(f"clients/{row['id']}", "DELETE")["code"] == 0
        player.rest()
        assert not site.plays(name)


@PLAIN_OR_TLS
def test_a_slow_reader_costs_little_and_goes_on_at_a_keyframe(site: Site, secure: bool) -> None:
    # 25 times as fast as time: 2 s of queue are over in 80 ms.
    name = f"slow{secure:d}"
    with (
        Broadcast(site.server.rtmp, f"{name}?vhost=late", speed=25, size=4000),
        site.player(secure, buffer=4096).open(f"{name}?vhost=late") as player,
    ):
        player.frames(5)
        before = site.server.resident()
        # Asked while the socket is full: the answers come between two messages.
        for value in range(5):
            player.ping(value)
            site.server.wait_late(name, 4000 * (value + 1))
        grown = site.server.resident() - before
        player.frames(100).until(lambda me: len(me.pongs) == 5)
        check_start(player)
        pictures, seen = media(player.tags, VIDEO), numbers(player.tags)
        jumps = [i for i in range(1, len(seen)) if seen[i] != seen[i - 1] + 1]
        assert jumps, "the reader was never late"
        for i in jumps:
            assert pictures[i].is_key, "resumed on a picture that is no keyframe"
            at = player.tags.index(pictures[i])
            assert {tag.kind for tag in player.tags[at - 3 : at] if tag.is_config} == {SCRIPT, VIDEO, AUDIO}
        assert grown < 6 * MIB, f"{grown >> 20} MB for one reader that stalls"


def test_a_publisher_may_not_take_a_name_that_plays(site: Site) -> None:
    with Broadcast(site.server.rtmp, "taken", speed=5), site.player().open("taken") as player:
        player.frames(5)
        with Publisher(site.server.rtmp) as other, pytest.raises(Refused, match="BadName"):
            other.publish("taken")
        player.frames(5)


def test_a_server_that_stops_tells_its_players(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        with Broadcast(server.rtmp, "stop"):
            players = [RtmpPlayer(server.rtmp).open("stop").frames(2) for _ in range(2)]
            players[0].say("pause", True, 0.0).told("NetStream.Pause.Notify")
            waiting = RtmpPlayer(server.rtmp).open("never")
            assert stop(server.process) == 0
        for player in players:
            player.rest()
            assert player.codes[-1] == ENDED and not player.chunks.open
        assert not waiting.rest().tags
