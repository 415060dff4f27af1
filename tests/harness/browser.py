"""A real Chromium with hls.js and mpegts.js. The page tells how it goes by posting to the server that it came from."""

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
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import pytest
from patience import patient
from server import HOST

PAGE = Path(__file__).parent / "players.html"


class Script(NamedTuple):
    """A player's script: from the file that *variable* names, else fetched once by npm."""

    package: str
    version: str
    path: str
    variable: str


HLSJS = Script("hls.js", "1.6.13", "dist/hls.min.js", "FASTFLV_HLSJS")
MPEGTSJS = Script("mpegts.js", "1.8.2", "dist/mpegts.js", "FASTFLV_MPEGTSJS")


class Source(NamedTuple):
    """What a page plays. *kind*: `hls`, `file` for the browser alone, or what mpegts.js calls it: `flv`, `mpegts`."""

    kind: str
    url: str
    keep: bool = False
    "Its media are for `Browser.media`."

    live: bool = True
    "For mpegts.js: it does not end."

    seek: float | None = None
    "Where the player goes once it has played for a second: so far behind the start of `video.seekable`, seconds."


def find_chromium() -> str:
    """Path of a Chromium; skips the test where there is none."""
    names = (os.environ.get("FASTFLV_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium here (Debian package chromium, or its path in FASTFLV_CHROMIUM)")
    return found


def find_script(script: Script) -> bytes:
    """The text of a player's script; skips the test where there is none."""
    named = os.environ.get(script.variable)
    if named:
        return Path(named).read_bytes()
    cache = Path(tempfile.gettempdir()) / f"fastflv-{script.package}-{script.version}"
    if cache.exists():
        return cache.read_bytes()
    if shutil.which("npm") is None:
        pytest.skip(f"no {script.package}: neither a path in {script.variable} nor npm to fetch it")
    with tempfile.TemporaryDirectory() as folder:
        words = ["npm", "pack", "--silent", f"{script.package}@{script.version}"]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=patient(120))
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode or not archives:
            pytest.skip(f"no {script.package}: npm pack failed: {done.stderr.strip()[-200:]}")
        with tarfile.open(archives[0]) as archive:
            file = archive.extractfile(f"package/{script.path}")
            assert file is not None
            text = file.read()
    part = cache.with_suffix(f".{os.getpid()}")
    part.write_bytes(text)
    part.replace(cache)
    return text


class Browser:
    """A page that plays several streams at once, side by side. Use as a context manager."""

    def __init__(
        self, sources: dict[str, Source], folder: Path, page: Path = PAGE, *, options: tuple[str, ...] = ()
    ) -> None:
        """*options*: further ones of Chromium."""
        chromium = find_chromium()
        self.said: dict[str, Any] = {}
        "What the page told last."
        self.media: dict[tuple[str, str], bytearray] = {}
        "Fragmented MP4 that a kept player gave the decoder, by name and `audio` or `video`."
        self.shifts: dict[str, set[float]] = {}
        "`timestampOffset` with which its media was given, seconds, by name: one, or sound and picture are moved apart."
        self._news = threading.Condition()
        self._go = threading.Event()
        listed = json.dumps({name: source._asdict() for name, source in sources.items()})
        pages = {
            "/go": ("text/plain", b"go"),
            "/": ("text/html", page.read_text().replace("/*SOURCES*/", listed).encode()),
            "/hls.js": ("text/javascript", find_script(HLSJS)),
            "/mpegts.js": ("text/javascript", find_script(MPEGTSJS)),
        }
        browser = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/go":
                    browser._go.wait(100)
                found = pages.get(self.path)
                self._answer(*(found or ("text/plain", b"")), status=200 if found else 404)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                path, _, query = self.path.partition("?")
                if path == "/said":
                    browser._take(json.loads(body))
                else:
                    browser._keep({key: values[0] for key, values in parse_qs(query).items()}, body)
                self._answer("text/plain", b"")

            def _answer(self, kind: str, body: bytes, status: int = 200) -> None:
                self.send_response(status)
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
            *options, f"http://{HOST}:{self._server.server_port}/",
        ]  # fmt: skip

    def __enter__(self) -> Browser:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        with (self._folder / "log").open("w") as log:
            self._process = subprocess.Popen(self._words, stdout=log, stderr=log, start_new_session=True)
        return self

    def __exit__(self, *failure: object) -> None:
        self._go.set()
        # Its helpers are children of its own, in its own process group.
        for number in (15, 9):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        self._server.shutdown()
        self._server.server_close()

    def go(self) -> None:
        """Let the page, which has been loaded, play."""
        self._go.set()

    def _take(self, said: dict[str, Any]) -> None:
        with self._news:
            self.said = said
            self._news.notify_all()

    def _keep(self, of: dict[str, str], data: bytes) -> None:
        key = (of["player"], of["kind"])
        self.media.setdefault(key, bytearray()).extend(data)
        if data[4:8] != b"ftyp":
            self.shifts.setdefault(of["player"], set()).add(float(of["shift"]))

    def wait(self, enough: Callable[[dict[str, Any]], bool], timeout: float) -> dict[str, Any]:
        """Wait until the page tells *enough*; return the last it told in any case."""
        with self._news:
            self._news.wait_for(lambda: bool(self.said) and enough(self.said), timeout)
            assert self.said, (
                f"the page told nothing; Chromium says\n{(self._folder / 'log').read_text()[-2000:]}"
            )
            return self.said
