"""The table of docs/play.md over the wire: every clip in every output, decoded or refused with a reason. HLS has its own flows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from clip import FORMS, Clip, Form, decode, finish, push
from flvread import AUDIO, VIDEO, flv_file, media
from model import ts
from player import Player, Recorder
from rtmpplayer import RtmpPlayer
from server import Server, until, vhost_text

from fastflv._ext.syntax.flvtag import payload
from fastflv.containers.carriage import Track, carries_codec, refusal

NAMES = [form.name for form in FORMS]
CODECS = {
    "h264": "H264", "hevc": "HEVC", "av1": "AV1", "vp9": "VP9", "aac": "AAC", "mp3": "MP3", "opus": "Opus",
    "flac": "FLAC", "ac3": "AC3", "eac3": "EAC3", "alaw": "G711A", "mulaw": "G711MU",
}  # fmt: skip
ENDINGS = ("ts", "aac", "mp3")


def codecs(form: Form) -> tuple[str, str]:
    """Names of the codecs of picture and sound, empty where there is none."""
    words = form.name.split("_")
    if form.name == "h264_two_tracks":
        return "H264", "AAC"
    if words[1] == "only":
        return ("H264", "") if words[0] == "video" else ("", CODECS.get(words[0], "AAC"))
    return CODECS[words[0]], CODECS[words[1]]


def track_of(clip: Clip, kind: int) -> Track:
    """The default track of *kind*, as the clip has it."""
    found = [payload(kind, tag.body) for tag in clip.flv.tags if tag.kind == kind]
    records = [data for _, _, packet, _, data in filter(None, found) if packet == 0]
    return Track(kind, next(filter(None, found))[0], records[0] if records else b"")


class RtmpRecorder(threading.Thread):
    """Plays by RTMP to the end of the stream."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__(daemon=True)
        self.player = RtmpPlayer(port, timeout=60).open(name)
        self.start()

    def run(self) -> None:
        self.player.until(lambda me: "NetStream.Play.UnpublishNotify" in me.codes)
        self.player.close()


class Taken:
    """What each player of each clip got."""

    def __init__(self, server: Server, clips: dict[str, Clip]) -> None:
        self.clips = clips
        self.rtmp = {name: RtmpRecorder(server.rtmp, name) for name in clips}
        waiting = {
            (name, ending): Recorder(
                Player(
                    server.http,
                    f"/live/{name}.{ending}",
                    flv=False,
                    timeout=60,
                    headers=("Connection: close",),
                )
            )
            for name in clips
            for ending in ENDINGS
        }
        idle = len(clips) * (1 + len(ENDINGS))
        until(lambda: server.fds() > idle, "players wait", 20)
        publishers = [push(made.path, server.publish_url(name)) for name, made in clips.items()]
        for process in publishers:
            finish(process, 60)
        self.bodies = {key: recorder.done() for key, recorder in waiting.items()}
        for recorder in self.rtmp.values():
            recorder.join(20)


@pytest.fixture(scope="module")
def taken(serve: Callable[..., Server], clips: dict[str, Clip]) -> Taken:
    mounts = " ".join(f"[vhost]/[app]/[stream].{ending}" for ending in ENDINGS)
    return Taken(serve(vhost_text(remux=f"mount {mounts}; on_missing 60;")), clips)


@pytest.fixture(params=NAMES)
def clip(request: pytest.FixtureRequest, taken: Taken) -> Clip:
    if request.param not in taken.clips:
        pytest.skip(f"this ffmpeg cannot make {request.param} in FLV")
    return taken.clips[request.param]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_container_plays_or_says_why_not(clip: Clip, ending: str, taken: Taken, tmp_path: Path) -> None:
    video, audio = codecs(clip.form)
    player = taken.bodies[clip.form.name, ending]
    fits = bool(audio) and carries_codec(ending, audio)
    if ending == "ts":
        fits = all(carries_codec("ts", codec) for codec in (video, audio) if codec)
    if not fits:
        tracks = [track_of(clip, kind) for kind, there in ((VIDEO, video), (AUDIO, audio)) if there]
        assert player.status == 406
        assert player.body.decode().strip() == refusal(f"/live/{clip.form.name}", ending, tracks)
        return
    assert player.status == 200 and player.clean
    path = tmp_path / f"taken.{ending}"
    path.write_bytes(player.body)
    decode(path)
    if ending == "ts":
        reader = ts.read_ts(bytes(player.body))
        pids = {pid for pid, there in ((0x100, video), (0x101, audio)) if there}
        assert {pid for pmt in reader.pmts for pid in pmt.streams} == pids


def test_rtmp_brings_every_frame_as_it_was_published(clip: Clip, taken: Taken, tmp_path: Path) -> None:
    player = taken.rtmp[clip.form.name].player
    for kind in (VIDEO, AUDIO):
        sent = [tag.body for tag in media(clip.flv.tags, kind)]
        got = [tag.body for tag in media(player.tags, kind)]
        # What was heard before the first picture, or while one was waited for, is left out.
        assert got == sent[len(sent) - len(got) :]
        assert len(got) == len(sent) if kind == VIDEO else len(got) >= len(sent) / 2
    path = tmp_path / "taken.flv"
    path.write_bytes(flv_file(player.tags, clip.form.flags))
    decode(path)
