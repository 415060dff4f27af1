"""Odd forms of H.264 and AAC in every output: real decoders read all frames, or a sentence says why there are none."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import av
import pytest
from clip import H264, X264, Clip, Form, decode, make
from flvread import AUDIO, VIDEO, Tag, media, read_flv
from oddforms import FORMS, as_inter, by_second
from player import Player, Recorder
from publisher import Publisher
from server import Server, until, vhost_text

ENDINGS = ("flv", "ts", "aac")
HEAD = 12
"Tags that are published before players join: headers, and frames of each track."


@pytest.fixture(scope="module")
def site(serve: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> tuple[Server, Path]:
    """A server with every container, and the folder of its HLS files and recordings."""
    folder = tmp_path_factory.mktemp("segments")
    mounts = " ".join(f"[vhost]/[app]/[stream].{ending}" for ending in (*ENDINGS[1:], "mp3"))
    hls = f"hls {{ enabled on; hls_fragment 1; hls_window 60; hls_path {folder}; hls_dispose 60; }}"
    dvr = f"dvr {{ enabled on; dvr_path {folder}/[app]/[stream].flv; }}"
    server = serve(vhost_text(remux=f"mount {mounts}; on_missing 60;", more=hls + dvr))
    return server, folder / "live"


def frames(path: Path, kind: str) -> int:
    """Frames that PyAV decodes."""
    with av.open(str(path)) as container:
        streams = [stream for stream in container.streams if stream.type == kind]
        return sum(1 for _ in container.decode(streams[0])) if streams else 0


def play(server: Server, name: str, tags: list[Tag], endings: tuple[str, ...]) -> dict[str, Player]:
    """Publish *tags*; return what players got who waited for them."""
    waiting = {
        ending: Recorder(Player(server.http, f"/live/{name}.{ending}", flv=ending == "flv", timeout=60))
        for ending in endings
    }
    with Publisher(server.rtmp) as publisher:
        publisher.publish(name)
        publisher.tags(tags[:HEAD])
        until(lambda: all(one.player.status for one in waiting.values()), "players join", 60)
        publisher.tags(tags[HEAD:])
        publisher.finish()
    return {ending: recorder.done(60) for ending, recorder in waiting.items()}


@pytest.mark.parametrize("form", FORMS)
def test_every_frame_is_decoded_in_every_container(
    site: tuple[Server, Path], h264: Clip, form: str, tmp_path: Path
) -> None:
    server, folder = site
    tags = FORMS[form](h264.flv.tags)
    silent = form == "no_sound"
    endings = ENDINGS[:2] if silent else ENDINGS
    players = play(server, form, tags, endings)
    sounds = 0 if silent else len(media(h264.flv.tags, AUDIO))
    for ending, player in players.items():
        assert player.status == 200 and player.clean, f"{ending}: {player.status}"
        path = tmp_path / f"taken.{ending}"
        path.write_bytes(player.body)
        decode(path)
        if ending != "aac":
            assert frames(path, "video") == len(media(h264.flv.tags, VIDEO)), ending
        assert sounds - HEAD <= frames(path, "audio") <= sounds, ending
    assert players["flv"].flv.flags == (1 if silent else 5)
    playlist = folder / f"{form}.m3u8"
    until(lambda: playlist.exists() and "ENDLIST" in playlist.read_text(), "segments of the whole", 60)
    segments = sorted(folder.glob(f"{form}-*.ts"))
    assert segments
    for segment in segments:
        decode(segment)
    assert sum(frames(one, "video") for one in segments) == len(media(h264.flv.tags, VIDEO))
    assert all((frames(one, "audio") > 0) == (not silent) for one in segments)
    recording = folder / f"{form}.flv"
    until(recording.exists, "the recording", 60)
    decode(recording)
    assert frames(recording, "video") == len(media(h264.flv.tags, VIDEO))
    assert frames(recording, "audio") == sounds
    # FFmpeg guesses AAC without a header; players and editors do not.
    assert silent or any(tag.is_config for tag in read_flv(recording.read_bytes()).tags if tag.kind == AUDIO)


@pytest.mark.parametrize("form", ["start_codes", "sets_apart"])
def test_hls_names_the_codecs_of_parameter_sets_in_pictures(
    site: tuple[Server, Path], h264: Clip, form: str
) -> None:
    server, _ = site
    texts = []
    for name, tags in ((f"plain_{form}", h264.flv.tags), (f"named_{form}", FORMS[form](h264.flv.tags))):
        with Publisher(server.rtmp) as publisher:
            publisher.publish(name).tags(tags)
            player = Player(server.http, f"/live/{name}.m3u8", flv=False)
            text = player.text()
            player.close()
            texts.append(re.findall(r'CODECS="[^"]+"|RESOLUTION=\w+', text))
            assert player.status == 200
            publisher.finish()
    assert texts[0] == texts[1] != []


LONG = Form(
    "one_keyframe", X264.replace("-g 20", "-g 9999").replace("-keyint_min 20", ""), H264.audio, seconds=18
)
REFRESH = Form("intra_refresh", X264.replace("-bf 2", "-bf 0") + " -intra-refresh 1", H264.audio, seconds=4)


def late(server: Server, name: str, tags: list[Tag], path: str, after: int) -> Player:
    """Publish *tags*; a player joins *after* seconds of them."""
    with ExitStack() as stack:
        publisher = stack.enter_context(Publisher(server.rtmp))
        publisher.publish(name)
        parts = list(by_second(tags))
        for part in parts[:after]:
            publisher.tags(part)
        sent = sum(len(tag.body) for part in parts[:after] for tag in part if tag.kind in (AUDIO, VIDEO))
        until(lambda: server.streams()[name]["recv_bytes"] >= sent, "what was sent", 20)
        player = stack.enter_context(Player(server.http, f"/live/{name}.{path}", flv=False, timeout=30))
        player.head()
        recorder = Recorder(player)
        for part in parts[after:]:
            before = len(player.body)
            publisher.tags(part)
            # The log keeps some seconds; each of them is sound, which waits for nothing.
            until(lambda had=before: len(player.body) > had, "a second of sound", 60)
        publisher.finish()
        return recorder.done(60)


@pytest.fixture(scope="module")
def long(clip_folder: Path) -> Clip:
    made = make(LONG, clip_folder)
    assert made is not None
    assert sum(tag.is_key for tag in made.flv.tags) == 1
    return made


@pytest.mark.parametrize("ending", ["flv", "ts"])
def test_sound_does_not_wait_for_a_keyframe_and_pictures_fifteen_seconds_at_most(
    site: tuple[Server, Path], long: Clip, ending: str, tmp_path: Path
) -> None:
    server, _ = site
    player = late(server, f"long_{ending}", long.flv.tags, f"{ending}?start=key", 2)
    assert player.status == 200 and player.clean
    path = tmp_path / f"taken.{ending}"
    path.write_bytes(player.body)
    assert frames(path, "audio") > 11 * 40
    if ending == "flv":
        tags = media(read_flv(bytes(player.body)).tags)
        first = next(tag for tag in tags if tag.kind == VIDEO)
        assert 14_000 < first.time - tags[0].time < 16_000
    with av.open(str(path)) as container:
        pictures = [packet for packet in container.demux(video=0) if packet.size]
    assert 10 < len(pictures) < 60


def test_a_recovery_point_is_a_start(site: tuple[Server, Path], clip_folder: Path, tmp_path: Path) -> None:
    server, _ = site
    made = make(REFRESH, clip_folder)
    assert made is not None
    first = next(tag for tag in made.flv.tags if tag.is_key)
    # No tag but the first says that it is a keyframe.
    tags = [
        tag if tag == first or tag.kind != VIDEO or tag.is_config else tag._replace(body=as_inter(tag.body))
        for tag in made.flv.tags
    ]
    player = late(server, "refresh", tags, "flv?start=gop", 3)
    path = tmp_path / "taken.flv"
    path.write_bytes(player.body)
    decode(path)
    assert 20 <= frames(path, "video") <= 45, "the player starts at the newest recovery point"


def test_a_stream_that_begins_without_a_keyframe_is_heard_at_once_and_seen_in_the_end(
    site: tuple[Server, Path], long: Clip, tmp_path: Path
) -> None:
    server, _ = site
    key = next(tag for tag in long.flv.tags if tag.is_key)
    tags = [tag for tag in long.flv.tags if tag is not key]
    player = late(server, "headless", tags, "flv", 1)
    got = media(read_flv(bytes(player.body)).tags)
    assert next(tag.time for tag in got if tag.kind == AUDIO) < 2500
    assert any(tag.kind == VIDEO for tag in got)


def test_what_is_no_mp3_is_refused_whatever_its_codec_is_called(site: tuple[Server, Path]) -> None:
    server, _ = site
    with Publisher(server.rtmp) as publisher:
        publisher.publish("noise").tags([Tag(AUDIO, 24 * n, b"\x2f" + bytes(200)) for n in range(80)])
        with Player(server.http, "/live/noise.mp3", flv=False) as player:
            assert "MP3 audio whose frames do not begin as MP3" in player.text()
            assert player.status == 406
        publisher.finish()


ELD = bytes([0xF8, 0xE6, 0x40, 0x00])
"AudioSpecificConfig: object type 39, 48 kHz, 2 channels."


def test_a_track_that_a_container_loses_leaves_one_line(site: tuple[Server, Path], h264: Clip) -> None:
    server, _ = site
    since = len(server.log.lines)
    with Publisher(server.rtmp) as publisher, Player(server.http, "/live/turned.ts", flv=False) as player:
        publisher.publish("turned").tags(h264.flv.tags[:HEAD])
        player.head()
        for tag in h264.flv.tags[HEAD:]:
            publisher.tags([Tag(AUDIO, tag.time, b"\xaf\0" + ELD), tag] if tag.is_key else [tag])
        publisher.finish()
        player.rest()
    server.log.wait(r"publisher .* of /live/turned left", since)
    lines = server.log.find(r"tracks have changed", since)
    assert len(lines) == 1
    assert "`/live/turned` has AAC audio of profile ELD, which .ts cannot carry" in lines[0]
