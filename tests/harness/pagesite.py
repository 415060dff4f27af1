"""The built pages in a real Chromium, driven by playwright-core. What a script sees it prints as JSON."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from browser import find_chromium
from clip import Clip, end, push
from patience import patient
from server import HOST, Server, until

from fastflv.servers.pages.built import find_built

CONSOLE = Path(__file__).resolve().parents[2] / "console"
SCRIPTS = Path(__file__).parent / "pages"
LOCKED = ("package.json", "package-lock.json", ".npmrc")


@cache
def packages() -> Path:
    """A folder with playwright-core and axe-core as `console/` locks them: that of FASTFLV_PACKAGES, else fetched once by npm.

    Skips the test without.
    """
    if "FASTFLV_PACKAGES" in os.environ:
        return Path(os.environ["FASTFLV_PACKAGES"])
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no node and npm here (Debian packages nodejs and npm)")
    if not (CONSOLE / "package-lock.json").exists():
        pytest.skip(
            "no console/ beside these tests, which locks the versions of what they drive a browser with"
        )
    digest = hashlib.sha256(b"".join((CONSOLE / name).read_bytes() for name in LOCKED)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"fastflv-pages-{digest}"
    if not folder.exists():
        part = Path(tempfile.mkdtemp(prefix="fastflv-pages-part-"))
        for name in LOCKED:
            shutil.copy(CONSOLE / name, part)
        words = ["npm", "ci", "--silent", "--prefer-offline"]
        done = subprocess.run(words, cwd=part, capture_output=True, text=True, timeout=patient(60))
        if done.returncode:
            shutil.rmtree(part)
            pytest.skip(f"npm ci failed: {(done.stderr or done.stdout).strip()[-200:]}")
        try:
            part.rename(folder)
        except OSError:
            # Another process was first.
            shutil.rmtree(part)
    return folder


def need_pages() -> None:
    """Skip a test of pages where something of what it takes is missing."""
    find_chromium()
    packages()
    if "/players/" not in find_built():
        pytest.skip("the pages are not built: make pages")


def drive(script: str, *arguments: str, timeout: float = 60) -> dict[str, Any]:
    """Run *script* of `tests/harness/pages` to its end, and return what it prints last."""
    done = subprocess.run(
        ["node", str(SCRIPTS / f"{script}.mjs"), *arguments],
        capture_output=True,
        text=True,
        timeout=patient(timeout),
        env={**os.environ, "FASTFLV_PACKAGES": str(packages()), "FASTFLV_CHROMIUM": find_chromium()},
    )
    assert done.returncode == 0, f"{script}: {done.stderr[-3000:]}\n{done.stdout[-3000:]}"
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def origin(server: Server) -> str:
    """Where the pages of *server* are."""
    return f"http://{HOST}:{server.http}"


@contextmanager
def published(server: Server, streams: dict[str, Clip]) -> Iterator[None]:
    """Publish *streams* by name, each again where its publisher ends."""
    over = threading.Event()

    def publish(name: str, clip: Clip) -> None:
        while not over.is_set():
            process = push(clip.path, server.publish_url(name), loop=True)
            while process.poll() is None and not over.wait(0.2):
                pass
            end(process)
            over.wait(1)

    threads = [threading.Thread(target=publish, args=item) for item in streams.items()]
    for thread in threads:
        thread.start()
    try:
        until(lambda: set(server.streams()) >= set(streams), "publish", 30)
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
        until(lambda: not set(streams) & set(server.streams()), "the end of the streams", 20)
