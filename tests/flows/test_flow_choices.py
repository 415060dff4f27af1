"""What a player or a mount chooses of a stream, and what a vhost announces: over the wire, of clips of a real ffmpeg."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from broadcast import Broadcast
from clip import Clip, decode, ffmpeg, finish, push
from flvread import AUDIO, SCRIPT, VIDEO, Tag, flv_file, media
from hevclabel import enhanced_hevc, legacy_hevc
from model import ts
from player import Player, Recorder
from publisher import Publisher
from server import HOST, Server, until
from wsclient import WebSocket

from fastflv import limits
from fastflv.media.amf import amf0

VHOSTS = """
vhost __defaultVhost__ {
    play { start gop; mw_latency 0; }
    publish { grace 0; }
    http_remux {
        enabled on; on_missing 20;
        mount [vhost]/[app]/[stream].flv [vhost]/[app]/[stream].ts [vhost]/[app]/[stream].aac [vhost]/[app]/[stream].mp3;
        mount [vhost]/[app]/[stream]-audio.flv?only=audio;
        mount [vhost]/[app]/[stream].legacy.flv?hevc=legacy;
    }
}
vhost radio {
    play { start gop; mw_latency 0; }
    http_remux { enabled on; mount /[app]/[stream].flv /[app]/[stream].aac /[app]/[stream].mp3; fast_cache 3; }
}
"""
ANNOUNCED = {
    # What is written, the flags of the FLV header, and the tracks that come.
    "silent": ("has_audio off; guess_has_av off;", 1, {VIDEO}),
    "blind": ("has_video off; guess_has_av off;", 4, {AUDIO}),
    "claims": ("has_audio off; guess_has_av off; drop_if_not_match off;", 1, {AUDIO, VIDEO}),
    "guesses": ("has_audio off; has_video off;", 5, {AUDIO, VIDEO}),
}
for name, (words, _, _) in ANNOUNCED.items():
    VHOSTS += f"vhost {name} {{ play {{ start gop; mw_latency 0; }} http_remux {{ enabled on; {words} mount /[app]/[stream].flv /[app]/[stream].ts; }} }}\n"
PIDS = {VIDEO: 0x100, AUDIO: 0x101}


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(VHOSTS)


def fields(tags: list[Tag]) -> dict[str, object]:
    """What onMetaData says."""
    script = next(tag for tag in tags if tag.kind == SCRIPT)
    name, values = amf0.decode_all(script.body)
    assert name == "onMetaData" and isinstance(values, dict)
    return values


def check_promises(tags: list[Tag], kinds: set[int]) -> None:
    """Metadata names the codecs of *kinds* and nothing of any other track."""
    told = set(fields(tags))
    video, audio = (
        {"videocodecid", "width", "height", "framerate"},
        {"audiocodecid", "audiosamplerate", "stereo"},
    )
    assert told >= (video if VIDEO in kinds else set()) | (audio if AUDIO in kinds else set())
    assert not told & ((set() if VIDEO in kinds else video) | (set() if AUDIO in kinds else audio))


def check_end_of(got: list[bytes], sent: list[bytes]) -> None:
    """*got* is *sent* from somewhere on: who waited may miss what came before the tracks were known."""
    assert got and sent[-len(got) :] == got


# --- only= ---------------------------------------------------------------------------------------------


class Choice(NamedTuple):
    """A request, and what comes of it."""

    target: str
    kinds: set[int]
    keys: bool = False

    @property
    def ending(self) -> str:
        return self.target.partition("?")[0].rpartition(".")[2]


CHOICES = [
    Choice("/live/cam.flv", {AUDIO, VIDEO}),
    *(Choice(f"/live/cam.{ending}?only=audio", {AUDIO}) for ending in ("flv", "ts")),
    *(Choice(f"/live/cam.{ending}?only=video", {VIDEO}) for ending in ("flv", "ts")),
    *(Choice(f"/live/cam.{ending}?only=key", {VIDEO}, True) for ending in ("flv", "ts")),
    Choice("/live/cam.flv?only=", {AUDIO, VIDEO}),
    Choice("/live/cam.ts?hevc=legacy", {AUDIO, VIDEO}),
    Choice("/live/cam-audio.flv", {AUDIO}),
    Choice("/live/cam-audio.flv?only=video", {VIDEO}),
    Choice("/live/cam-audio.flv?hevc=legacy", {AUDIO}),
]


@pytest.fixture(scope="module")
def recordings(server: Server, h264: Clip) -> dict[tuple[str, str], Player | WebSocket]:
    """All choices at once, each by a plain player and by a WebSocket, of one ffmpeg that publishes."""
    readers: dict[tuple[str, str], Recorder] = {}
    for choice in CHOICES:
        flv = choice.ending == "flv"
        readers["http", choice.target] = Recorder(Player(server.http, choice.target, flv=flv))
        readers["ws", choice.target] = Recorder(WebSocket(server.http, choice.target, flv=flv))  # type: ignore[arg-type]
    finish(push(h264.path, server.publish_url("cam")))
    return {key: recorder.done() for key, recorder in readers.items()}


@pytest.fixture(params=["http", "ws"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    "choice", [one for one in CHOICES if one.ending == "flv"], ids=lambda one: one.target
)
def test_flv_holds_what_was_chosen_and_promises_nothing_else(
    choice: Choice, protocol: str, recordings: dict[tuple[str, str], Player], h264: Clip, tmp_path: Path
) -> None:
    player = recordings[protocol, choice.target]
    assert player.flv.whole
    assert player.flv.flags == 4 * (AUDIO in choice.kinds) + (VIDEO in choice.kinds)
    assert {tag.kind for tag in player.tags} == choice.kinds | {SCRIPT}
    check_promises(player.tags, choice.kinds)
    for kind in choice.kinds:
        sent = [tag.body for tag in media(h264.flv.tags, kind) if not choice.keys or tag.is_key]
        check_end_of([tag.body for tag in media(player.tags, kind)], sent)
        assert any(tag.kind == kind and tag.is_config for tag in player.tags)
    path = tmp_path / "chosen.flv"
    path.write_bytes(bytes(player.body))
    decode(path)


@pytest.mark.parametrize("choice", [one for one in CHOICES if one.ending == "ts"], ids=lambda one: one.target)
def test_ts_holds_what_was_chosen_and_its_tables_list_nothing_else(
    choice: Choice, protocol: str, recordings: dict[tuple[str, str], Player], h264: Clip, tmp_path: Path
) -> None:
    body = bytes(recordings[protocol, choice.target].body)
    reader = ts.read_ts(body)
    assert {frozenset(pmt.streams) for pmt in reader.pmts} == {frozenset(PIDS[kind] for kind in choice.kinds)}
    if VIDEO in choice.kinds:
        sent = [tag for tag in media(h264.flv.tags, VIDEO) if not choice.keys or tag.is_key]
        pictures = [pes for pes in reader.pes if pes.pid == PIDS[VIDEO]]
        assert len(sent) // 2 <= len(pictures) <= len(sent)
        assert [pes.random_access for pes in pictures] == [tag.is_key for tag in sent[-len(pictures) :]]
    if AUDIO in choice.kinds:
        data = b"".join(pes.data for pes in reader.pes if pes.pid == PIDS[AUDIO])
        sent_sound = [tag.body[2:] for tag in media(h264.flv.tags, AUDIO)]
        check_end_of([frame.frame for frame in ts.read_adts(data)], sent_sound)
    path = tmp_path / "chosen.ts"
    path.write_bytes(body)
    decode(path)


@pytest.mark.parametrize(("only", "flags"), [("audio", 4), ("video", 1)])
def test_an_rtmp_player_chooses_too(
    server: Server, h264: Clip, tmp_path: Path, only: str, flags: int
) -> None:
    path = tmp_path / "out.flv"
    with Broadcast(server.rtmp, "tv", clip=h264):
        until(lambda: "tv" in server.streams(), "publish")
        url = f"rtmp://{HOST}:{server.rtmp}/live/tv?only={only}"
        words = f"{ffmpeg()} -v error -nostdin -analyzeduration 300000 -i {url} -t 1 -c copy {path}"
        done = subprocess.run(words.split(), capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
    assert path.read_bytes()[4] == flags
    decode(path)


@pytest.mark.parametrize(
    "query", ["only=sound", "only=AUDIO", "only=audio,video", "hevc=h265", "hevc=1", "only=key&hevc=x"]
)
@pytest.mark.parametrize("ending", ["flv", "ts", "aac"])
def test_a_wrong_word_is_400_and_says_which_are_right(server: Server, query: str, ending: str) -> None:
    # It is wrong whether the stream is there or not: nobody waits for it.
    target = f"/live/nobody.{ending}?{query}"
    with Player(server.http, target, timeout=3) as player:
        told = player.text()
        assert player.status == 400 and "ask for" in told
    with WebSocket(server.http, target, timeout=3) as socket:
        assert socket.text() == told
        assert socket.status == 400


def test_what_is_not_there_cannot_be_chosen(server: Server, clips: dict[str, Clip]) -> None:
    for name, only in (("video_only", "audio"), ("audio_only", "video"), ("audio_only", "key")):
        with Broadcast(server.rtmp, name, clip=clips[name]):
            until(
                lambda name=name: server.streams().get(name, {}).get("publish", {}).get("active"), "publish"
            )  # type: ignore[misc]
            with Player(server.http, f"/live/{name}.flv?only={only}") as player:
                assert "has no" in player.text()
                assert player.status == 406


def test_the_track_that_ts_can_carry_is_chosen_where_it_cannot_carry_the_other(
    server: Server, clips: dict[str, Clip]
) -> None:
    if "h264_flac" not in clips:
        pytest.skip("no flac")
    with Broadcast(server.rtmp, "lossless", clip=clips["h264_flac"]):
        with Player(server.http, "/live/lossless.ts") as player:
            assert "FLAC audio" in player.text() and player.status == 406
        with Player(server.http, "/live/lossless.ts?only=video", flv=False) as player:
            player.until(lambda me: len(me.body) > 20_000)
            reader = ts.Reader().read(bytes(player.body[: len(player.body) // 188 * 188]))
            assert {pid for pmt in reader.pmts for pid in pmt.streams} == {PIDS[VIDEO]}


# --- hevc= -------------------------------------------------------------------------------------------------


HVC1 = float(int.from_bytes(b"hvc1", "big"))
LABELS = {
    "hevc.flv?hevc=legacy": 12.0,
    "hevc.legacy.flv": 12.0,
    "hevc.flv?hevc=enhanced": HVC1,
    "hevc.legacy.flv?hevc=enhanced": HVC1,
    "hevc.legacy.flv?hevc=enhanced&only=video": HVC1,
}


@pytest.mark.parametrize("published", ["enhanced", "legacy"])
def test_hevc_comes_under_the_label_that_was_asked_for(
    server: Server, clips: dict[str, Clip], tmp_path: Path, published: str
) -> None:
    if "hevc_aac" not in clips:
        pytest.skip("no HEVC encoder")
    source = clips["hevc_aac"]
    old = [legacy for tag in source.flv.tags if (legacy := legacy_hevc(tag)) is not None]
    readers = {target: Recorder(Player(server.http, f"/live/{target}")) for target in LABELS}
    mpeg = Recorder(Player(server.http, "/live/hevc.ts", flv=False))
    if published == "enhanced":
        assert any(tag.kind == VIDEO and tag.body[1:5] == b"hvc1" for tag in source.flv.tags)
        finish(push(source.path, server.publish_url("hevc")))
    else:
        told = {**fields(source.flv.tags), "videocodecid": 12.0}
        script = Tag(SCRIPT, 0, amf0.encode("onMetaData", told))
        with Publisher(server.rtmp) as publisher:
            publisher.publish("hevc")
            tags = [script, *(tag for tag in old if tag.kind != SCRIPT)]
            for _ in publisher.live(tags, speed=2):
                pass
            publisher.finish()
    for target, label in LABELS.items():
        player = readers[target].done()
        assert player.clean
        assert fields(player.tags)["videocodecid"] == label
        pictures = [tag for tag in player.tags if tag.kind == VIDEO]
        sent = media(old, VIDEO)
        if label == HVC1:
            assert all(tag.body[0] & 0x80 and tag.body[1:5] == b"hvc1" for tag in pictures)
            sent = [enhanced_hevc(tag) for tag in sent]
        else:
            assert all(tag.body[0] & 0x8F == 12 for tag in pictures)
        # A picture that is shown when it is decoded may be written in a shorter way.
        check_end_of([plain(tag) for tag in media(pictures)], [plain(tag) for tag in sent])
        # This ffmpeg reads the new label only.
        path = tmp_path / "hevc.flv"
        path.write_bytes(
            flv_file(
                player.tags if label == HVC1 else [enhanced_hevc(tag) for tag in player.tags],
                player.flv.flags,
            )
        )
        decode(path)
    path = tmp_path / "hevc.ts"
    path.write_bytes(bytes(mpeg.done().body))
    decode(path)


def plain(tag: Tag) -> bytes:
    """An enhanced picture in its long form (packet type 1)."""
    if tag.body[0] & 0x8F == 0x83:
        return bytes([tag.body[0] - 2]) + tag.body[1:5] + bytes(3) + tag.body[5:]
    return tag.body


# --- what the head announces -----------------------------------------------------------------------------------


@pytest.mark.parametrize("vhost", ANNOUNCED)
def test_the_head_announces_what_the_vhost_says(
    server: Server, h264: Clip, vhost: str, tmp_path: Path
) -> None:
    _, flags, kinds = ANNOUNCED[vhost]
    with Broadcast(server.rtmp, f"cam?vhost={vhost}", clip=h264):
        with Player(server.http, f"/live/cam.flv?vhost={vhost}") as player:
            for kind in kinds:
                player.frames(30, kind)
            assert player.flv.flags == flags
            assert {tag.kind for tag in player.tags} == kinds | {SCRIPT}
            if vhost != "claims":
                check_promises(player.tags, kinds)
            decode(player.save(tmp_path / "announced.flv"))
        with Player(server.http, f"/live/cam.ts?vhost={vhost}", flv=False) as player:
            player.until(lambda me: len(me.body) > 10_000)
            reader = ts.Reader().read(bytes(player.body[: len(player.body) // 188 * 188]))
            assert {pid for pmt in reader.pmts for pid in pmt.streams} == {PIDS[kind] for kind in kinds}
        if len(kinds) == 1:
            absent = "audio" if kinds == {VIDEO} else "video"
            with Player(server.http, f"/live/cam.flv?vhost={vhost}&only={absent}") as player:
                player.text()
                assert player.status == 406


# --- fast_cache, and logs that nobody reads -------------------------------------------------------------------------


def at_once(player: Player, quiet: float = 0.5) -> bytes:
    """What comes before *quiet* seconds of silence."""
    player.head()
    player.sock.settimeout(quiet)
    try:
        while True:
            player.step()
    except TimeoutError:
        return bytes(player.body)


@pytest.mark.parametrize(
    ("clip_name", "ending"),
    [("audio_only", "aac"), ("h264_aac", "aac"), ("mp3_only", "mp3"), ("h264_mp3", "mp3")],
)
def test_the_start_of_an_audio_player_holds_fast_cache_seconds(
    server: Server, clips: dict[str, Clip], clip_name: str, ending: str
) -> None:
    source = clips[clip_name]
    length = max(tag.time for tag in source.flv.tags) + 26
    frames = [
        tag._replace(time=tag.time + turn * length) for turn in range(4) for tag in media(source.flv.tags)
    ]
    with Publisher(server.rtmp) as publisher, Publisher(server.rtmp) as other:
        publisher.publish(f"{clip_name}?vhost=radio")
        other.publish(f"{clip_name}_off")
        for each in (publisher, other):
            each.tags([*(tag for tag in source.flv.tags if tag.is_config), *frames])
        size = sum(len(tag.body) for tag in frames)
        until(lambda: server.streams()[clip_name]["recv_bytes"] >= size, "all is there")
        sound = [tag.body[2 if ending == "aac" else 1 :] for tag in frames if tag.kind == AUDIO]
        times = [tag.time for tag in frames if tag.kind == AUDIO]
        bodies = []
        # The second finds the first there, the third nobody.
        with Player(server.http, f"/live/{clip_name}.{ending}?vhost=radio", flv=False) as first:
            bodies.append(at_once(first))
            with Player(server.http, f"/live/{clip_name}.{ending}?vhost=radio", flv=False) as second:
                bodies.append(at_once(second))
        until(lambda: server.streams()[clip_name]["clients"] == 1, "both left")
        with Player(server.http, f"/live/{clip_name}.{ending}?vhost=radio", flv=False) as third:
            bodies.append(at_once(third))
        for body in bodies:
            data = b"".join(one.frame for one in ts.read_adts(body)) if ending == "aac" else body
            held = next(
                n for n in range(len(sound) + 1) if sum(map(len, sound[len(sound) - n :])) >= len(data)
            )
            assert b"".join(sound[len(sound) - held :]) == data, "these are not the last frames"
            assert 2900 <= times[-1] - times[-held] <= 3100, f"{times[-1] - times[-held]} ms"
        # Without it a player starts with what comes next.
        with Player(server.http, f"/live/{clip_name}_off.{ending}", flv=False) as player:
            assert at_once(player) == b""


def first_counter(player: Player) -> int:
    """The continuity counter of the first table that a TS player got."""
    player.until(lambda me: len(me.body) >= 188)
    packet = ts.read_packet(bytes(player.body[:188]))
    assert packet.pid == 0
    return packet.counter


def test_a_container_ends_some_time_after_its_last_player(server: Server, h264: Clip) -> None:
    with Broadcast(server.rtmp, "gone", clip=h264, speed=2), Player(server.http, "/live/gone.flv") as steady:
        steady.frames(3)
        for only in ("", "?only=video"):
            with Player(server.http, f"/live/gone.ts{only}", flv=False) as first:
                # A muxer that is new counts its tables from 0.
                assert first_counter(first) == 0
                steady.frames(50)
                with Player(server.http, f"/live/gone.ts{only}", flv=False) as second:
                    assert first_counter(second) != 0, "a muxer of its own for each player"
            until(lambda: server.streams()["gone"]["clients"] == 2, "both left")
        # 50 frames a second.
        steady.frames(round(50 * 2 * limits.OUTLET_KEEP_SECONDS))
        with Player(server.http, "/live/gone.ts", flv=False) as third:
            assert first_counter(third) == 0
