"""Publishers come, go, come back, and misbehave; players stay."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from clip import H264, Clip, Form, decode, end, make, push
from flvread import AUDIO, SCRIPT, VIDEO, Tag, media
from player import Player, Recorder, check_start
from publisher import AAC, AVC, METADATA, Publisher, Refused, film, headers, picture, sound
from rtmpplayer import RtmpPlayer
from server import HOST, MIB, Server, until, vhost_text

OTHER_AVC = AVC.replace(b"\x4d\x40\x0c", b"\x4d\x40\x0d")


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    """Grace of 3 s."""
    return serve(
        vhost_text(publish="grace 3; normal_timeout 2000; firstpkt_timeout 2000;", remux="on_missing 3;")
    )


@pytest.fixture(scope="module")
def strict(serve: Callable[..., Server]) -> Server:
    """Grace of 0.3 s."""
    return serve(vhost_text(publish="grace 0.3;", remux="on_missing 3;"))


def splice(player: Player, before: int) -> list[Tag]:
    """What came after the first *before* tags, checked: headers, then a keyframe, time going on."""
    after = player.tags[before:]
    check_start(player)
    pictures = media(after, VIDEO)
    assert pictures[0].is_key, "no keyframe after the splice"
    first = after.index(pictures[0])
    assert [tag for tag in after[:first] if tag.kind == VIDEO and tag.is_config], "no video header before it"
    assert all(tag.is_config for tag in after[:first]), "media before the keyframe"
    last = max(tag.time for tag in media(player.tags[:before]))
    assert last < pictures[0].time <= last + 4000
    return after


@pytest.mark.parametrize("start", [0, 3 * 3600_000, 0xFFFFF000], ids=["zero", "three_hours", "wrap"])
def test_a_publisher_returns_within_the_grace(server: Server, start: int) -> None:
    name = f"back{start}"
    with Publisher(server.rtmp) as first:
        first.publish(name)
        first.tags([*headers(), *film(30, start=5000)])
        player = Player(server.http, f"/live/{name}.flv").frames(5)
        first.finish()
    until(lambda: not server.streams()[name]["publish"]["active"], "unpublish")
    player.until(lambda me: me.tags[-1].body == sound(29))
    seen = len(player.tags)
    with Publisher(server.rtmp) as second:
        second.publish(name)
        # It comes in the middle of a GOP: nothing of that may pass.
        late = [Tag(VIDEO, 40 * i, picture(900 + i)) for i in range(5)]
        second.tags([*headers(OTHER_AVC), *late, *film(10, first=500, start=200)], offset=start)
        player.frames(10)
        after = splice(player, seen)
        pictures = media(after, VIDEO)
        assert [tag.body for tag in pictures] == [picture(500 + i, key=i == 0) for i in range(10)]
        assert [tag.time - pictures[0].time for tag in pictures] == [40 * i for i in range(10)]
        config = [tag.body for tag in after if tag.kind == VIDEO and tag.is_config]
        assert config[-1] == OTHER_AVC
        second.finish()
    player.close()


def test_ffmpeg_returns_with_another_resolution_and_the_recording_decodes(
    server: Server, h264: Clip, clip_folder: Path, tmp_path: Path
) -> None:
    big = make(Form("h264_big", H264.video, H264.audio, seconds=1.5, size="480x270"), clip_folder)
    assert big is not None
    first = push(h264.path, server.publish_url("resize"))
    recorder = Recorder(Player(server.http, "/live/resize.flv"))
    server.log.wait("joins /live/resize")
    assert first.wait(20) == 0
    end(first)
    second = push(big.path, server.publish_url("resize"))
    assert second.wait(20) == 0
    end(second)
    player = recorder.done()
    assert player.clean
    configs = {tag.body for tag in player.tags if tag.kind == VIDEO and tag.is_config and tag.body[1] == 0}
    assert len(configs) == 2
    pictures = media(player.tags, VIDEO)
    theirs = {tag.body for tag in media(big.flv.tags, VIDEO)}
    mine = [tag for tag in pictures if tag.body in theirs]
    assert len(mine) == len(theirs)
    assert mine[0].is_key
    check_start(player)
    decode(player.save(tmp_path / "resize.flv"))


def test_a_publisher_that_returns_without_video_is_heard(server: Server) -> None:
    with Publisher(server.rtmp) as first:
        first.publish("deaf")
        first.tags([*headers(), *film(10)])
        player = Player(server.http, "/live/deaf.flv").frames(10)
        first.finish()
    with Publisher(server.rtmp) as second:
        second.publish("deaf")
        second.tag(AUDIO, 0, AAC)
        for _ in second.live([Tag(AUDIO, 40 * i, sound(700 + i)) for i in range(40)]):
            pass
        player.until(lambda me: me.tags[-1].body == sound(739))
        check_start(player)
        second.finish()
    player.close()


def test_who_joins_within_the_grace_gets_the_tracks_of_the_next_publisher(server: Server) -> None:
    with Publisher(server.rtmp) as first:
        first.publish("swap")
        first.tags([*headers(), *film(10)])
        with Player(server.http, "/live/swap.flv") as player:
            player.frames(5)
        first.finish()
    until(lambda: not server.streams()["swap"]["publish"]["active"], "unpublish")
    with Player(server.http, "/live/swap.flv") as late, Publisher(server.rtmp) as second:
        second.publish("swap")
        second.tag(AUDIO, 0, AAC)
        for _ in second.live([Tag(AUDIO, 40 * i, sound(700 + i)) for i in range(100)]):
            pass
        late.frames(5, AUDIO)
        assert late.flv.flags == 4
        second.finish()


def test_who_joins_within_the_grace_when_nobody_returns_gets_404(server: Server) -> None:
    with Publisher(server.rtmp) as first:
        first.publish("gone")
        first.tags([*headers(), *film(10)])
        with Player(server.http, "/live/gone.flv") as player:
            player.frames(5)
        first.finish()
    until(lambda: not server.streams()["gone"]["publish"]["active"], "unpublish")
    with Player(server.http, "/live/gone.flv") as late:
        assert late.head().status == 404


def test_after_the_grace_the_body_ends_cleanly(strict: Server) -> None:
    players = {}
    with Publisher(strict.rtmp) as publisher:
        publisher.publish("over")
        publisher.tags([*headers(), *film(10)])
        for version in ("1.1", "1.0"):
            players[version] = Player(strict.http, "/live/over.flv", version=version).frames(10)
        publisher.finish()
    for player in players.values():
        player.rest()
        assert player.clean
        assert media(player.tags, AUDIO)[-1].body == sound(9)
        player.close()
    until(lambda: "over" not in strict.streams(), "end")


def test_a_second_publisher_is_refused_and_the_first_goes_on(server: Server) -> None:
    with Publisher(server.rtmp) as first:
        first.publish("mine")
        first.tags([*headers(), *film(5)])
        with Player(server.http, "/live/mine.flv") as player:
            player.frames(5)
            with Publisher(server.rtmp) as second:
                with pytest.raises(Refused, match=r"NetStream\.Publish\.BadName"):
                    second.publish("mine")
                assert second.closed()
            first.tags(film(5, start=200, first=5))
            player.frames(5)
            assert [tag.body for tag in media(player.tags, VIDEO)][-1] == picture(9)


def test_a_killed_publisher_frees_its_name(strict: Server, h264: Clip) -> None:
    process = push(h264.path, strict.publish_url("killed"), loop=True)
    with Player(strict.http, "/live/killed.flv") as player:
        player.frames(5)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        player.rest()
        assert player.clean
    with Publisher(strict.rtmp) as publisher:
        publisher.publish("killed")


def test_a_silent_publisher_times_out(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("silent")
        publisher.tags([*headers(), *film(5)])
        began = time.monotonic()
        assert publisher.closed()
        assert 1.5 < time.monotonic() - began < 4.5, "normal_timeout is 2 s"
    server.log.wait(r"/live/silent is disconnected: no media for 2 s")


def test_a_publisher_without_media_times_out(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("empty")
        began = time.monotonic()
        assert publisher.closed()
        assert 1.5 < time.monotonic() - began < 4.5, "firstpkt_timeout is 2 s"


def test_a_publisher_that_pings_without_media_times_out_all_the_same(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("pinger")
        began = time.monotonic()
        while not publisher.closed(0.2):
            publisher.message(4, b"\0\6time", stream=0, channel=2)
            assert time.monotonic() - began < 4.5, "firstpkt_timeout is 2 s"


@pytest.mark.slow
def test_a_half_open_handshake_times_out(server: Server) -> None:
    with (
        RtmpPlayer(server.rtmp, timeout=15) as silent,
        RtmpPlayer(server.rtmp, timeout=15) as greeted,
    ):
        silent.raw(b"\3" + bytes(100))
        greeted.greet()
        began = time.monotonic()
        # A byte now and then buys no time.
        while not silent.closed(0.5):
            silent.raw(b"x")
            assert time.monotonic() - began < 13
        assert greeted.closed(5)
        assert 9 < time.monotonic() - began < 12
    assert len(server.log.find("the handshake and connect took")) == 2


GARBAGE = {
    "version": b"\x06" + bytes(1536),
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": b"\x16\x03\x01" + bytes(300),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_on_the_rtmp_port_harms_no_other(server: Server, name: str) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("calm")
        publisher.tags([*headers(), *film(5)])
        with Player(server.http, "/live/calm.flv") as player:
            player.frames(5)
            mark = len(server.log.lines)
            with socket.create_connection((HOST, server.rtmp), 10) as sock:
                sock.sendall(GARBAGE[name])
                assert sock.recv(10) == b""
            server.log.wait(r"rtmp 127.0.0.1 closed", mark)
            publisher.tags(film(5, start=200))
            player.frames(5)
            assert len(server.log.find(r"rtmp 127.0.0.1", mark)) == 1


def spoil(publisher: Publisher, how: str) -> None:
    """Break the protocol in the middle of a publish."""
    if how == "fresh_delta":
        publisher.raw(b"\xa8" + bytes(3))
    elif how == "huge_message":
        publisher.raw(b"\x07" + bytes(3) + b"\xff\xff\xff\x09" + b"\1\0\0\0" + bytes(4096))
    elif how == "chunk_size_0":
        publisher.set_chunk(0)
    elif how == "short_control":
        publisher.message(1, b"\0", stream=0, channel=2)
    elif how == "broken_amf":
        publisher.message(20, b"\2\xff\xff", stream=0, channel=3)
    elif how == "broken_data":
        publisher.message(18, b"\2\0\xff", channel=5)
    elif how == "deep_amf":
        publisher.message(20, b"\2\0\1x" + bytes(9) + b"\3\0\1a" * 5000, stream=0, channel=3)
    elif how == "channels":
        for channel in range(300):
            publisher.raw(b"\1" + channel.to_bytes(2, "little") + bytes(5) + b"\x64\x09\1\0\0\0" + bytes(50))
    elif how == "noise":
        publisher.raw(bytes((i * 197 + i // 7) & 255 for i in range(20000)))


@pytest.mark.parametrize(
    "how",
    [
        "fresh_delta",
        "huge_message",
        "chunk_size_0",
        "short_control",
        "broken_amf",
        "broken_data",
        "deep_amf",
        "channels",
        "noise",
    ],
)
def test_a_publisher_that_breaks_the_protocol_is_closed_with_one_reason(server: Server, how: str) -> None:
    with Publisher(server.rtmp) as calm, Publisher(server.rtmp) as rude:
        calm.publish("calm2")
        calm.tags([*headers(), *film(5)])
        with Player(server.http, "/live/calm2.flv") as player:
            player.frames(5)
            rude.publish("rude" + how)
            rude.tags([*headers(), *film(3)])
            mark = len(server.log.lines)
            with contextlib.suppress(ConnectionError):
                spoil(rude, how)
            assert rude.closed()
            server.log.wait(rf"of /live/rude{how} left", mark)
            assert len(server.log.find(r"rtmp 127.0.0.1 closed", mark)) == 1, server.log.lines[mark:]
            calm.tags(film(5, start=200))
            player.frames(5)


def test_odd_media_passes_or_is_left_out_but_ends_nothing(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("odd")
        publisher.tags(headers())
        publisher.tags(film(2))
        for body in (b"", b"\x17", b"\x17\1", b"\x00" * 4, b"\x9f", b"\x97\xff", b"\x57\0", b"\xff" * 20):
            publisher.message(9, body, time=80, channel=6)
            publisher.message(8, body, time=80, channel=4)
        publisher.message(18, b"\3", channel=5)
        publisher.message(15, b"\0\2\0\1x", channel=5)
        publisher.message(22, b"\x09\0\0\5\0\0\0\0\0\0\0ab", channel=5)
        publisher.message(99, b"what", channel=5)
        publisher.tags(film(3, start=120, first=50))
        with Player(server.http, "/live/odd.flv") as player:
            player.until(lambda me: any(tag.body == sound(52) for tag in me.tags))


def test_aggregates_are_taken_apart(server: Server) -> None:
    sent = list(film(4, start=1000))
    body = b""
    for tag in sent:
        body += (
            bytes([tag.kind]) + len(tag.body).to_bytes(3, "big") + tag.time.to_bytes(4, "big")[1:] + bytes(4)
        )
        body += tag.body + (len(tag.body) + 11).to_bytes(4, "big")
    with Publisher(server.rtmp) as publisher:
        publisher.publish("whole")
        publisher.tags(headers())
        publisher.message(22, body, time=40)
        with Player(server.http, "/live/whole.flv") as player:
            player.frames(4)
            player.until(lambda me: me.count(AUDIO) == 4)
            got = media(player.tags)
            assert [tag.body for tag in got] == [tag.body for tag in sent]
            assert [tag.time - got[0].time for tag in got] == [tag.time - 1000 for tag in sent]


def test_metadata_changed_in_mid_stream_reaches_those_who_watch_and_those_who_join(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("meta")
        publisher.tags([*headers(), *film(5)])
        with Player(server.http, "/live/meta.flv") as player:
            player.frames(5)
            publisher.tag(SCRIPT, 200, METADATA.replace(b"width", b"wodth"))
            player.until(lambda me: me.tags[-1].kind == SCRIPT)
            publisher.tags(film(5, start=240, first=5))
            player.frames(5)
            assert [tag for tag in player.tags if tag.kind == SCRIPT and b"wodth" in tag.body]
            with Player(server.http, "/live/meta.flv") as late:
                late.frames(1)
                assert late.tags[0].kind == SCRIPT and b"wodth" in late.tags[0].body


def test_a_new_sequence_header_in_mid_stream_comes_before_its_keyframe_for_all(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("change")
        publisher.tags([*headers(), *film(5)])
        with Player(server.http, "/live/change.flv") as player:
            player.frames(5)
            publisher.tag(VIDEO, 0, OTHER_AVC)
            publisher.tags(film(5, start=240, first=5))
            player.frames(5)
            late = Player(server.http, "/live/change.flv").frames(5)
            for one in (player, late):
                video = [tag for tag in one.tags if tag.kind == VIDEO]
                at = next(i for i, tag in enumerate(video) if tag.body == picture(5, key=True))
                assert video[at - 1].body == OTHER_AVC
                assert [tag.time for tag in video] == sorted(tag.time for tag in video)
            late.close()


def test_a_clock_that_jumps_in_mid_stream_is_repaired(server: Server) -> None:
    with Publisher(server.rtmp) as publisher:
        publisher.publish("clock")
        publisher.tags([*headers(), *film(5)])
        with Player(server.http, "/live/clock.flv") as player:
            player.frames(5)
            publisher.tags(film(5, start=50_000_000, first=5, gop=5))
            publisher.tags(film(5, start=0, first=10, gop=5))
            player.frames(10)
            times = [tag.time for tag in media(player.tags, VIDEO)]
            assert times[-1] < 15 * 40 + 200 and times == sorted(times), times


def test_a_camera_of_one_picture_in_a_minute_is_not_absent(server: Server) -> None:
    # One kind of track, no metadata, and nothing more to decide by than the clock.
    with Publisher(server.rtmp) as publisher:
        publisher.publish("rare")
        publisher.tag(VIDEO, 0, AVC)
        publisher.tag(VIDEO, 0, picture(0, key=True))
        with Player(server.http, "/live/rare.flv") as player:
            player.head()
            assert player.status == 200
            player.frames(1)


def test_two_streams_one_after_the_other_on_one_connection(strict: Server) -> None:
    with Publisher(strict.rtmp) as publisher:
        publisher.publish("one")
        publisher.tags([*headers(), *film(3)])
        publisher.end("one")
        publisher.begin("two")
        publisher.tags([*headers(), *film(3)])
        with Player(strict.http, "/live/two.flv") as player:
            player.frames(3)
        until(lambda: "one" not in strict.streams(), "end of the first")


def test_a_peer_that_pings_and_never_reads_costs_bounded_memory(server: Server) -> None:
    before = server.resident()
    with Publisher(server.rtmp) as publisher:
        publisher.publish("ping")
        ping = b"\x02" + bytes(3) + b"\0\0\6\4" + bytes(4) + b"\0\6" + b"time"
        publisher.sock.settimeout(0.5)
        try:
            for _ in range(400):
                publisher.raw(ping * 5000)
        except (TimeoutError, ConnectionError):
            pass
        grown = server.resident() - before
    assert grown < 6 * MIB, f"{grown >> 20} MB grown"


def test_a_play_over_rtmp_is_refused_with_a_status(server: Server) -> None:
    with RtmpPlayer(server.rtmp) as peer:
        peer.open("x").told("NetStream.Play.StreamNotFound")


def test_stopping_the_server_ends_players_cleanly(tmp_path: Path) -> None:
    with Server(tmp_path, vhost_text()) as server, Publisher(server.rtmp) as publisher:
        publisher.publish("last")
        publisher.tags([*headers(), *film(5)])
        player = Player(server.http, "/live/last.flv").frames(5)
        idle = Player(server.http, "/live/absent.flv")
        server.process.send_signal(signal.SIGTERM)
        player.rest()
        assert player.clean
        assert server.process.wait(10) == 0
        player.close()
        idle.close()
