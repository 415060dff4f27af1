"""The built pages in a real Chromium, driven by playwright-core. What a script sees it prints as JSON."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from browser import find_chromium
from patience import patient

from fastflv.servers.pages.built import find_built

CONSOLE = Path(__file__).resolve().parents[2] / "console"
SCRIPTS = Path(__file__).parent / "pages"
LOCKED = ("package.json", "package-lock.json", ".npmrc")


@cache
def packages() -> Path:
    """A folder with playwright-core and axe-core as `console/` locks them, fetched once by npm; skips the test without."""
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
