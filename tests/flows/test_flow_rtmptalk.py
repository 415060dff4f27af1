"""What RTMP players say while they play, and that it is heard. Plain and over TLS."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from broadcast import Broadcast
from flvread import AUDIO, VIDEO, Tag, media
from player import Player, check_start
from publisher import Publisher, film, headers
from rtmpsite import PLAIN_OR_TLS, Site, check_joined, numbers, open_site
from server import Server, until


@pytest.fixture(scope="module")
def site(serve: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> Site:
    return open_site(serve, tmp_path_factory.mktemp("tls"))


@PLAIN_OR_TLS
def test_pings_are_answered_between_two_messages(site: Site, secure: bool) -> None:
    # 128 bytes a chunk: the strict reader would see an answer within a message.
    with Broadcast(site.server.rtmp, f"ping{secure:d}?vhost=raw", speed=6, size=30_000):
        player = site.player(secure).greet()
        player.connect("live?vhost=raw")
        player.play(f"ping{secure:d}").frames(5)
        for value in range(60):
            player.ping(value)
            player.frames(1)
        player.until(lambda me: len(me.pongs) == 60)
        assert player.pongs == list(range(60))
        seen = numbers(player.tags)
        assert seen == list(range(seen[0], seen[0] + len(seen)))
        player.close()


@PLAIN_OR_TLS
def test_pause_stops_all_and_unpause_goes_on_at_a_keyframe(site: Site, secure: bool) -> None:
    with (
        Broadcast(site.server.rtmp, f"pause{secure:d}", speed=5),
        site.player(secure).open(f"pause{secure:d}") as player,
    ):
        player.frames(30)
        for times in (1, 2):
            player.say("pause", True, 0.0).told("NetStream.Pause.Notify", times)
            assert player.quiet(0.5)
            player.heard_of()
            had = len(player.tags)
            assert player.before["NetStream.Pause.Notify"] == had, "media behind the answer"
            player.say("pause", False, 0.0).told("NetStream.Unpause.Notify", times).frames(30)
            check_joined(player.tags[had:])
            fresh, old = numbers(player.tags[had:]), numbers(player.tags[:had])
            assert fresh[0] > old[-1]
            assert fresh == list(range(fresh[0], fresh[0] + len(fresh)))
        check_start(player)


@pytest.mark.parametrize("word", ["pause", "receiveAudio", "receiveVideo"])
@PLAIN_OR_TLS
def test_time_never_goes_back_when_media_stops_within_a_gop(site: Site, secure: bool, word: str) -> None:
    name = f"back{word}{secure:d}"
    with Publisher(site.server.rtmp) as publisher:
        publisher.publish(name)
        frames = list(film(50))
        publisher.tags([*headers(), *frames[:20]])
        with site.player(secure).open(name) as player:
            player.frames(10)
            player.say(word, word == "pause", 0.0).heard_of()
            player.say(word, word != "pause", 0.0).heard_of()
            publisher.tags(frames[20:])
            player.frames(25)
            assert numbers(player.tags) == [*range(10), *range(25, 50)]
            check_start(player)
            assert len(media(player.tags, AUDIO)) == len({tag.time for tag in media(player.tags, AUDIO)})


@PLAIN_OR_TLS
def test_sound_and_picture_can_be_switched(site: Site, secure: bool) -> None:
    def kinds(tags: list[Tag]) -> set[int]:
        return {tag.kind for tag in media(tags)}

    name = f"switch{secure:d}"
    with Broadcast(site.server.rtmp, name, speed=5), site.player(secure).open(name) as player:
        player.frames(5)
        player.say("receiveVideo", False)
        # Nothing says when it took effect, but a ping is answered behind it.
        player.heard_of().frames(2, AUDIO)
        had = len(player.tags)
        player.frames(30, AUDIO)
        assert kinds(player.tags[had:]) == {AUDIO}
        player.say("receiveAudio", False).heard_of()
        assert player.quiet(0.5), "neither was wanted"
        had = len(player.tags)
        player.say("receiveVideo", True).frames(30)
        assert kinds(player.tags[had:]) == {VIDEO}
        assert media(player.tags[had:], VIDEO)[0].is_key
        player.say("receiveAudio", True).frames(5, AUDIO)
        had = len(player.tags)
        player.frames(30)
        assert kinds(player.tags[had:]) == {AUDIO, VIDEO}


@PLAIN_OR_TLS
def test_stop_and_play_again_on_the_same_connection(site: Site, secure: bool) -> None:
    names = [f"again{secure:d}{i}" for i in range(2)]
    with Broadcast(site.server.rtmp, names[0], speed=5), Broadcast(site.server.rtmp, names[1], speed=5):
        player = site.player(secure).open(names[0]).frames(10)
        for name, words in ((names[1], ("closeStream",)), (names[0], ("deleteStream", 1.0))):
            player.say(*words)
            player.heard_of()
            until(lambda: not site.plays(names[0]) and not site.plays(names[1]), "stopped")
            assert player.quiet(0.3)
            had = len(player.tags)
            player.play(name, create=False).frames(10)
            check_joined(player.tags[had:])
            assert [row["name"] for row in site.plays(name)] == [name]
        player.close()


@PLAIN_OR_TLS
def test_a_second_stream_of_a_connection_takes_the_place_of_the_first(site: Site, secure: bool) -> None:
    with (
        Broadcast(site.server.rtmp, f"first{secure:d}", speed=5, size=400),
        Broadcast(site.server.rtmp, f"second{secure:d}", speed=5, size=700),
        site.player(secure).open(f"first{secure:d}") as player,
    ):
        player.frames(10)
        assert player.streams == {1}
        player.play(f"second{secure:d}", stream=2).told("NetStream.Play.Start", 2)
        had = player.before["NetStream.Play.Start"]
        player.frames(30)
        check_joined(player.tags[had:])
        assert {len(tag.body) for tag in media(player.tags[had:], VIDEO)} == {709}
        assert player.streams == {1, 2}
        # Closing the stream that plays no more changes nothing.
        player.say("deleteStream", 1.0).frames(10)


def test_play_while_publishing_and_publish_while_playing_end_the_connection(site: Site) -> None:
    with Broadcast(site.server.rtmp, "both", speed=5):
        with site.player().open("both") as player:
            player.frames(5)
            player.command("publish", 5, None, "mine", "live", stream=1)
            player.rest()
        with Publisher(site.server.rtmp) as publisher:
            publisher.publish("mine")
            publisher.command("play", 6, None, "both", -2.0, stream=1)
            assert publisher.closed()


def test_one_after_the_other_a_connection_may_play_and_publish(site: Site) -> None:
    with Broadcast(site.server.rtmp, "turns", speed=5), site.player().open("turns") as player:
        player.frames(10)
        player.say("closeStream")
        player.command("publish", 5, None, "own", "live", stream=1)
        player.told("NetStream.Publish.Start").tags.clear()
        with Player(site.server.http, "/live/own.flv") as other:
            for tag in [*headers(), *film(10)]:
                player.message(tag.kind, tag.body, time=tag.time)
            other.frames(10)
        player.command("FCUnpublish", 6, None, "own")
        player.play("turns", create=False).frames(10)
        check_joined(player.tags)
