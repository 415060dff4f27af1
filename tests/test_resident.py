"""What a server that serves nobody yet takes of memory."""

from __future__ import annotations

import json
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
    "fastflv.containers.mp4movie": "0.2 MB with all that writes MP4, for recordings, clips and HLS",
    "fastflv.protocols.rtmp.client": "0.1 MB, for edges and forwards",
    "fastflv.record.library": "recordings that are listed",
    "shutil": "0.4 MB with bz2 and lzma, for the width of a terminal",
}
"Modules that a server loads when it needs them, if at all, and what they would take."

CLUSTER = ["fastflv.cluster.pulls", "fastflv.cluster.relay", "fastflv.cluster.coworkers"]
SECRET = "a-secret-of-at-least-32-characters"

PARTS = {
    "hls { enabled on; }": ["fastflv.servers.hls.muxer", "fastflv.containers.segmenter"],
    "timeshift { window 60; }": ["fastflv.servers.clips.server"],
    "dvr { enabled on; }": ["fastflv.record.recorder", "fastflv.containers.partwriter"],
    "cluster { mode remote; origin 127.0.0.1:9; }": CLUSTER,
    "cluster { origin_cluster on; coworkers 127.0.0.1:9; }": CLUSTER,
    "forward { enabled on; destination 127.0.0.1:9; }": ["fastflv.cluster.forwards"],
    f"auth {{ enabled on; key {SECRET}; }}": ["fastflv.access.tokens.verifier", "fastflv.access.signedurl"],
}
"By what a vhost begins to use a part of the server: modules that are loaded with it, and not before."

SERVING = """
import asyncio, json, sys, uvloop, fastflv.tools.cli
from fastflv.config.load import load_text
from fastflv.control.server import Server
from fastflv.tools.arguments import Arguments
async def serve():
    Arguments().parse(["-c", "server.conf"], {})
    server = Server(load_text(TEXTS[0]), asyncio.get_running_loop())
    await server.start()
    loaded = [sorted(sys.modules)]
    for text in TEXTS[1:]:
        server.reload(load_text(text))
        loaded.append(sorted(sys.modules))
    await server.stop()
    print(json.dumps(loaded))
asyncio.run(serve())
"""
"Runs a server with one configuration after the other; prints the modules that are loaded with each."


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


def conf(vhost: str = "") -> str:
    """The least that serves, and a vhost with some directives."""
    return f"""
        listen 127.0.0.1:0;
        http_server {{ enabled on; listen 127.0.0.1:0; }}
        http_api {{ enabled on; listen 127.0.0.1:0; }}
        vhost __defaultVhost__ {{ http_remux {{ enabled on; }} {vhost} }}
    """


def modules(*texts: str) -> list[set[str]]:
    """The modules of a server that is given one configuration after the other."""
    return [set(each) for each in json.loads(printed(f"TEXTS = {texts!r}" + SERVING))]


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules of a server without any part that not all need."""
    return modules(conf())[0]


def test_the_modules_are_those_of_a_server(loaded):
    assert {"fastflv.control.server", "fastflv.servers.http.live", "argparse", "ssl", "uvloop"} <= loaded


@pytest.mark.parametrize("directives", PARTS)
def test_a_part_is_loaded_with_the_first_configuration_that_uses_it(directives):
    names = PARTS[directives]
    others = {name for each in PARTS.values() if each != names for name in each}
    off, on = modules(conf(f"enabled off; {directives}"), conf(directives))
    assert off.isdisjoint([*names, *others]), "a vhost that is off uses nothing"
    assert on.issuperset(names) and on.isdisjoint(others)


@pytest.mark.parametrize("name", SPARED)
def test_a_server_loads_nothing_for_a_trifle(loaded, name):
    assert name not in loaded, SPARED[name]


def test_code_that_is_forgotten_comes_back_where_it_runs():
    before, after, digest = printed(FORGETTING).split()
    assert int(after) < int(before) / 2
    assert digest == "e3b0c442"
