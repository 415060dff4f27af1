"""A real Chromium with hls.js. The page tells how it goes by posting to the server that it came from."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from server import HOST

HLSJS_VERSION = "1.6.13"
PAGE = """<!doctype html>
<style>video { width: 19%%; height: 30%%; }</style>
<body>
<script src="/hls.js"></script>
<script>
const said = {supported: Hls.isSupported(), players: {}};
for (const [name, url] of Object.entries(%s)) {
    const player = said.players[name] = {errors: [], fatal: ""};
    const video = document.body.appendChild(document.createElement("video"));
    video.muted = true;
    const hls = new Hls();
    hls.on(Hls.Events.ERROR, (_, data) => {
        player.errors.push(data.details);
        if (data.fatal) player.fatal = data.details + ": " + (data.reason || data.error || "");
    });
    hls.on(Hls.Events.LEVEL_LOADED, (_, data) => { player.target = data.details.targetduration; });
    hls.loadSource(url);
    hls.attachMedia(video);
    video.play().catch(() => {});
    setInterval(() => {
        player.time = video.currentTime;
        player.played = 0;
        for (let i = 0; i < video.played.length; i++) player.played += video.played.end(i) - video.played.start(i);
        player.width = video.videoWidth;
        player.frames = video.getVideoPlaybackQuality().totalVideoFrames;
        player.sound = video.webkitAudioDecodedByteCount;
        player.ended = video.ended;
    }, 200);
}
setInterval(() => fetch("/said", {method: "POST", body: JSON.stringify(said)}), 500);
</script>
"""


def find_chromium() -> str:
    """Path of a Chromium; skips the test where there is none."""
    names = (os.environ.get("FASTFLV_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium here (Debian package chromium, or its path in FASTFLV_CHROMIUM)")
    return found


def find_hlsjs() -> bytes:
    """The player's script: of the file in FASTFLV_HLSJS, else fetched once by npm; skips the test where neither is."""
    named = os.environ.get("FASTFLV_HLSJS")
    if named:
        return Path(named).read_bytes()
    cache = Path(tempfile.gettempdir()) / f"fastflv-hlsjs-{HLSJS_VERSION}.js"
    if cache.exists():
        return cache.read_bytes()
    if shutil.which("npm") is None:
        pytest.skip("no hls.js: neither a path in FASTFLV_HLSJS nor npm to fetch it")
    with tempfile.TemporaryDirectory() as folder:
        words = ["npm", "pack", "--silent", f"hls.js@{HLSJS_VERSION}"]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120)
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode or not archives:
            pytest.skip(f"no hls.js: npm pack failed: {done.stderr.strip()[-200:]}")
        with tarfile.open(archives[0]) as archive:
            file = archive.extractfile("package/dist/hls.min.js")
            assert file is not None
            script = file.read()
    part = cache.with_suffix(f".{os.getpid()}")
    part.write_bytes(script)
    part.replace(cache)
    return script


class Browser:
    """A page that plays several playlists at once, side by side. Use as a context manager."""

    def __init__(self, sources: dict[str, str], folder: Path) -> None:
        chromium, script = find_chromium(), find_hlsjs()
        self.said: dict[str, Any] = {}
        "What the page told last."
        self._news = threading.Condition()
        page = (PAGE % json.dumps(sources)).encode()
        browser = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(
                    *(("text/javascript", script) if self.path == "/hls.js" else ("text/html", page))
                )

            def do_POST(self) -> None:
                browser._take(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self._answer("text/plain", b"")

            def _answer(self, kind: str, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._folder = folder
        self._words = [
            chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio",
            "--autoplay-policy=no-user-gesture-required", "--no-first-run", f"--user-data-dir={folder}",
            f"http://{HOST}:{self._server.server_port}/",
        ]  # fmt: skip

    def __enter__(self) -> Browser:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        with (self._folder / "log").open("w") as log:
            self._process = subprocess.Popen(self._words, stdout=log, stderr=log, start_new_session=True)
        return self

    def __exit__(self, *failure: object) -> None:
        # Its helpers are children of its own, in its own process group.
        for number in (15, 9):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        self._server.shutdown()
        self._server.server_close()

    def _take(self, said: dict[str, Any]) -> None:
        with self._news:
            self.said = said
            self._news.notify_all()

    def wait(self, enough: Callable[[dict[str, Any]], bool], timeout: float) -> dict[str, Any]:
        """Wait until the page tells *enough*; return the last it told in any case."""
        with self._news:
            self._news.wait_for(lambda: bool(self.said) and enough(self.said), timeout)
            assert self.said, (
                f"the page told nothing; Chromium says\n{(self._folder / 'log').read_text()[-2000:]}"
            )
            return self.said
