"""Every output of one stream at the same time, by every kind of player: all decode, and the sound stays with the picture.

FASTFLV_SECONDS says how long they play (12).
"""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from browser import Browser, Source
from clip import X264, Clip, Form, ffmpeg, finish, make, push
from offset import Frame, Offset, frames, shifts
from player import Player
from server import HOST, Server, until, vhost_text
from tlsfiles import SecureServer, make_pair, serve_tls, trusting
from wsclient import WebSocket

SECONDS = float(os.environ.get("FASTFLV_SECONDS", "12"))
pytestmark = pytest.mark.timeout(200 + 6 * int(SECONDS))

FORM = Form(
    f"noise_{SECONDS:g}",
    X264,
    "aac -ar 48000 -ac 2 -b:a 64k",
    seconds=SECONDS + 3,
    sound="anoisesrc=sample_rate=48000:seed=7:amplitude=0.3",
)
"Pictures and sounds that are there once."

MOUNTS = "mount [vhost]/[app]/[stream].ts [vhost]/[app]/[stream].aac; on_missing 90;"
HLS = "hls { enabled on; hls_fragment 1; hls_window 30; }"
RAW = ("flv", "ts", "aac", "https flv", "https ts", "https aac", "ws flv", "ws ts", "wss flv", "wss ts")
"Read by plain sockets."
PULLED = ("rtmp", "rtmps", "hls")
"Read by ffmpeg."
BROWSED = {
    "mpegts.js flv": ("flv", "http", "flv"),
    "mpegts.js ts": ("mpegts", "http", "ts"),
    "mpegts.js ws flv": ("flv", "ws", "flv"),
    "mpegts.js ws ts": ("mpegts", "ws", "ts"),
    "hls.js": ("hls", "http", "m3u8"),
}
"Read by a browser: kind, scheme, ending."
GSTREAMED = ("http flv", "http ts", "rtmp")


class Run(NamedTuple):
    """What came of one run."""

    source: Clip
    files: dict[str, Path]
    said: dict[str, Any]
    "By the browser, empty without one."
    media: dict[str, dict[str, Path]]
    "What the browser's players gave the decoder, by player and `audio` or `video`."
    gstreamer: dict[str, str]
    "What each of its pipelines complained of."


class Reader(threading.Thread):
    """Reads a body to its end into a file."""

    def __init__(self, name: str, secure: SecureServer, tls: ssl.SSLContext, path: Path) -> None:
        super().__init__(name=name, daemon=True)
        scheme, _, ending = name.rpartition(" ")
        port = secure.https if scheme in ("https", "wss") else secure.server.http
        with_tls = tls if scheme in ("https", "wss") else None
        self.error = ""
        self._path = path
        self._source: Player | WebSocket
        if scheme in ("ws", "wss"):
            self._source = WebSocket(
                port, f"/live/all.{ending}", tls=with_tls, flv=ending == "flv", timeout=60
            )
        else:
            self._source = Player(port, f"/live/all.{ending}", tls=with_tls, flv=ending == "flv", timeout=60)
        self.start()

    def run(self) -> None:
        try:
            self._source.rest()
            if isinstance(self._source, WebSocket):
                assert (self._source.code, self._source.reason) == (1000, "stream ended")
            else:
                assert self._source.status == 200 and self._source.clean
        except (AssertionError, OSError) as error:
            self.error = f"{self.name}: {error!r}"
        self._path.write_bytes(self._source.body)


def pull(url: str, path: Path, *options: str) -> subprocess.Popen[str]:
    words = [ffmpeg(), "-v", "error", "-xerror", "-y", *options, "-i", url, "-c", "copy", str(path)]
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def gstream(url: str) -> subprocess.Popen[str]:
    """Decode all of a stream."""
    words = ["gst-launch-1.0", "-q", "uridecodebin", f"uri={url}", "name=d", "d.", "!", "video/x-raw", "!"]
    words += ["queue", "!", "fakesink", "d.", "!", "audio/x-raw", "!", "queue", "!", "fakesink"]
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def is_over(said: dict[str, Any]) -> bool:
    """Every player of the page came to the end, and its media here."""
    players = said["players"].values()
    return not said["unsent"] and all(player["fatal"] or player.get("ended") for player in players)


@pytest.fixture(scope="module")
def done(
    serve: Callable[..., Server], clip_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("outputs")
    pair = make_pair(folder)
    secure = serve_tls(serve, vhost_text(remux=MOUNTS, more=HLS, play="mw_latency 350;"), pair)
    server, source = secure.server, make(FORM, clip_folder)
    assert source is not None, "this ffmpeg has no libx264 or no aac"
    files = {name: folder / f"{name.replace(' ', '_')}.{name.split()[-1]}" for name in RAW}
    files |= {name: folder / f"{name}.{'ts' if name == 'hls' else 'flv'}" for name in PULLED}
    sources = {
        name: Source(kind, f"{scheme}://{HOST}:{server.http}/live/all.{ending}", keep=True)
        for name, (kind, scheme, ending) in BROWSED.items()
    }
    idle = server.quiet_fds()
    with ExitStack() as stack:
        browser: Browser | None = None
        try:
            browser = stack.enter_context(Browser(sources, tmp_path_factory.mktemp("chromium")))
        except pytest.skip.Exception:
            print("no browser")
        else:
            browser.wait(lambda said: True, 120)
        # All but HLS wait for the publisher: a busy machine may take long to start them.
        readers = [Reader(name, secure, trusting(pair), files[name]) for name in RAW]
        pulls = {
            "rtmp": pull(server.publish_url("all"), files["rtmp"]),
            "rtmps": pull(f"rtmps://{HOST}:{secure.rtmps}/live/all", files["rtmps"], "-tls_verify", "0"),
        }
        gst = {}
        if shutil.which("gst-launch-1.0"):
            gst = {
                "http flv": gstream(f"http://{HOST}:{server.http}/live/all.flv"),
                "http ts": gstream(f"http://{HOST}:{server.http}/live/all.ts"),
                "rtmp": gstream(server.publish_url("all")),
            }
        until(lambda: server.fds() > idle + len(readers) + len(pulls) + len(gst) - 1, "all players", 60)
        publisher = push(source.path, server.publish_url("all"))
        until(lambda: "all" in server.streams(), "publish", 20)
        pulls["hls"] = pull(f"http://{HOST}:{server.http}/live/all.m3u8", files["hls"])
        if browser is not None:
            browser.go()
        finish(publisher, SECONDS + 60)
        for reader in readers:
            reader.join(60)
            assert not reader.is_alive(), reader.name
        errors = [reader.error for reader in readers if reader.error]
        for name, process in pulls.items():
            _, complaint = process.communicate(timeout=60)
            if process.returncode or complaint:
                errors.append(f"{name}: {complaint}")
        complaints = {}
        for name, process in gst.items():
            _, complaint = process.communicate(timeout=60)
            complaints[name] = complaint or "x" * process.returncode
        assert not errors, errors
        said, media = {}, {}
        if browser is not None:
            said = browser.wait(is_over, 60)
            for (name, kind), data in browser.media.items():
                path = folder / f"{name.replace(' ', '_')}.{kind}.mp4"
                path.write_bytes(data)
                media.setdefault(name, {})[kind] = path
            assert all(len(values) == 1 for values in browser.shifts.values()), browser.shifts
        yield Run(source, files, said, media, complaints)


@pytest.fixture(scope="module")
def pictures(done: Run) -> list[Frame]:
    return frames(done.source.path, "v")


@pytest.fixture(scope="module")
def sounds(done: Run) -> list[Frame]:
    return frames(done.source.path, "a")


def check_lips(offset: Offset, share: float = 0.6) -> None:
    """Most of what was published was found, every frame at its time, sound and picture as they were together."""
    assert len(offset.pictures) > share * 20 * SECONDS, len(offset.pictures)
    assert len(offset.sounds) > share * 48000 / 1024 * SECONDS, len(offset.sounds)
    assert offset.jitter < 3, (offset.jitter, offset)
    assert abs(offset.lips) < 3, offset.lips


@pytest.mark.parametrize("name", [name for name in (*RAW, *PULLED) if not name.endswith("aac")])
def test_an_output_decodes_with_the_sound_where_it_was(
    name: str, done: Run, pictures: list[Frame], sounds: list[Frame]
) -> None:
    path = done.files[name]
    offset = Offset(shifts(pictures, frames(path, "v")), shifts(sounds, frames(path, "a")))
    print(f"{name}: sound {offset.lips:+.2f} ms, jitter {offset.jitter:.2f} ms")
    check_lips(offset)


@pytest.mark.parametrize("name", ["aac", "https aac"])
def test_sound_alone_is_what_was_published(name: str, done: Run, sounds: list[Frame]) -> None:
    got = [frame.hash for frame in frames(done.files[name], "a")]
    sent = [frame.hash for frame in sounds]
    assert got == sent[len(sent) - len(got) :]
    assert len(got) > 0.6 * len(sent)


@pytest.mark.parametrize("name", BROWSED)
def test_a_browser_plays_it_with_the_sound_where_it_was(
    name: str, done: Run, pictures: list[Frame], sounds: list[Frame]
) -> None:
    if not done.said:
        pytest.skip("no browser here")
    player = done.said["players"][name]
    assert not player["fatal"], player
    # A starved machine lets a player run dry, and hls.js steps over the 0.1 s by which the first picture is behind
    # the first sound; nothing else may be wrong, and nothing may be missing.
    assert set(player["errors"]) <= {"bufferStalledError", "bufferNudgeOnStall", "bufferSeekOverHole"}, player
    assert player["time"] - player["played"] < 0.5, player
    assert player["played"] > SECONDS / 2, player
    assert player["width"] == 320 and player["sound"] > 1000, player
    media = done.media[name]
    offset = Offset(
        shifts(pictures, frames(media["video"], "v")), shifts(sounds, frames(media["audio"], "a"))
    )
    print(f"{name}: sound {offset.lips:+.2f} ms, jitter {offset.jitter:.2f} ms")
    check_lips(offset, share=0.4)


@pytest.mark.parametrize("name", GSTREAMED)
def test_gstreamer_decodes_it(name: str, done: Run) -> None:
    if not done.gstreamer:
        pytest.skip("no gst-launch-1.0 here")
    assert not done.gstreamer[name]
