"""A camera of one picture a second and 12 s between keyframes, HEVC with G.711, coded by a real ffmpeg."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from broadcast import Broadcast
from clip import Clip, Form, encoders, ffmpeg, make
from flvread import VIDEO
from player import Player
from server import HOST, Server, vhost_text

CAMERA = Form(
    "camera_hevc_alaw",
    "libx265 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -vf fps=1 -x265-params keyint=12:min-keyint=12:scenecut=0:log-level=none",
    "pcm_alaw -ar 8000 -ac 1",
    seconds=8,
    sound="anoisesrc=sample_rate=8000:seed=7:amplitude=0.3",
)


@pytest.fixture(scope="module")
def camera(clip_folder: Path) -> Clip:
    if not set(CAMERA.needs) <= encoders():
        pytest.skip("this ffmpeg has no libx265")
    made = make(CAMERA, clip_folder)
    assert made is not None
    return made


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    remux = "mount [vhost]/[app]/[stream].ts;"
    return serve(vhost_text(play="start compact;", remux=remux, more="hls { enabled on; }"))


def test_pictures_go_out_as_they_come_and_every_output_begins_within_the_gop(
    server: Server, camera: Clip
) -> None:
    ts = f"http://{HOST}:{server.http}/live/camera.ts?only=video"
    words = [
        ffmpeg(),
        "-v",
        "error",
        "-fpsprobesize",
        "0",
        "-analyzeduration",
        "1000000",
        "-i",
        ts,
        "-frames:v",
        "2",
        "-f",
        "null",
        "-",
    ]
    with Broadcast(server.rtmp, "camera", clip=camera) as broadcast:
        with Player(server.http, "/live/camera.flv") as first:
            first.frames(2)
            decoder = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            with Player(server.http, "/live/camera.flv") as joined:
                began = time.monotonic()
                joined.frames(1)
                assert time.monotonic() - began < 0.9, "the newest picture is there already"
                assert next(tag for tag in joined.tags if tag.kind == VIDEO and not tag.is_config).is_key
            # A picture that waited for the next one would be a second behind the sound that was sent with it.
            for _ in range(2):
                first.frames(1)
                sounds = [tag.time for tag in first.tags if tag.kind != VIDEO]
                assert sounds[-1] - first.tags[-1].time < 600
        with Player(server.http, "/live/camera.m3u8", flv=False) as playlist:
            master = playlist.text()
        assert playlist.status == 200
        assert "hvc1" in master and "FRAME-RATE=1.000" in master
        assert re.search(r"^\S+\.m3u8", master, re.MULTILINE)
        _, complaint = decoder.communicate(timeout=30)
        assert decoder.returncode == 0 and not complaint, complaint
        assert broadcast.is_alive()
