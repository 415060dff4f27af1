"""What a server that serves nobody yet takes of memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

SPARED = {
    "ctypes": "half a megabyte, for two calls of the C library",
    "email": "1 MB with calendar and random, for dates",
    "gzip": "zlib does it",
    "html": "0.4 MB of entities, for five signs",
    "importlib.resources": "0.6 MB with shutil, tempfile, bz2 and lzma, for a path",
    "platform": "the version is in sys",
    "random": "os has bytes for keys",
    "fastflv.containers.mp4.cut": "0.2 MB with that of FLV, for parts of files",
    "fastflv.control.siblings": "0.2 MB with what follows it, for other workers",
    "fastflv.control.supervisor": "the parent of workers alone is one",
}
"Modules that a server loads when it needs them, if at all, and what they would take."


FORGETTING = """
import hashlib, ssl, sys
from fastflv._ext.core.memory import forget_code, trim_heap
def files():
    for line in open("/proc/self/smaps"):
        if line[:1] in "0123456789abcdef":
            fields = line.split()
            code = fields[1] == "r-xp" and fields[-1].startswith("/")
        elif code and line.startswith("Rss:"):
            yield int(line.split()[1])
before = sum(files())
forget_code()
trim_heap()
after = sum(files())
ssl.create_default_context()
print(before, after, hashlib.sha256(b"").hexdigest()[:8])
"""
"Prints KB of code that is resident before and after."


def printed(code: str) -> str:
    """Run *code* in a process of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules of a server."""
    return set(printed("import sys, uvloop, fastflv.tools.cli; print(*sys.modules)").split())


def test_the_modules_are_those_of_a_server(loaded):
    assert {"fastflv.control.server", "fastflv.servers.http.live", "ssl", "uvloop"} <= loaded


@pytest.mark.parametrize("name", SPARED)
def test_a_server_loads_nothing_for_a_trifle(loaded, name):
    assert name not in loaded, SPARED[name]


def test_code_that_is_forgotten_comes_back_where_it_runs():
    before, after, digest = printed(FORGETTING).split()
    assert int(after) < int(before) / 2
    assert digest == "e3b0c442"
