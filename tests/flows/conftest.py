"""Fixtures of the end-to-end flows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import clip
import proxysite
import pytest
from pushsite import Casters, serve_casters
from reloading import ChangingServer, Make
from server import Server
from tlsfiles import Pair, make_pair


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the clips of this run are; FASTFLV_CLIPS names a folder that outlives it."""
    named = os.environ.get("FASTFLV_CLIPS")
    if not named:
        return tmp_path_factory.mktemp("clips")
    Path(named).mkdir(parents=True, exist_ok=True)
    return Path(named)


@pytest.fixture(scope="session")
def clips(clip_folder: Path) -> dict[str, clip.Clip]:
    """All clips that this ffmpeg can make, by name."""
    with ThreadPoolExecutor(2) as pool:
        made = pool.map(lambda form: clip.make(form, clip_folder), clip.FORMS)
    return {one.form.name: one for one in made if one is not None}


@pytest.fixture(scope="session")
def film(clip_folder: Path) -> clip.Clip:
    """Ten seconds of H.264 and AAC: 20 pictures a second, a keyframe each second."""
    made = clip.make(clip.TEN_SECONDS, clip_folder)
    assert made is not None
    return made


@pytest.fixture(scope="session")
def h264(clip_folder: Path) -> clip.Clip:
    """The clip that most tests play: H.264 with B-frames, and AAC."""
    made = clip.make(clip.H264, clip_folder)
    assert made is not None, "this ffmpeg has no libx264 or no aac"
    return made


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Start servers that live as long as the module."""
    running: list[Server] = []

    def start(*args: str, **more: object) -> Server:
        server = Server(tmp_path_factory.mktemp("server"), *args, **more)  # type: ignore[arg-type]
        running.append(server.__enter__())
        return server

    yield start
    failures = []
    for server in running:
        try:
            server.__exit__(None, None, None)
        except AssertionError as error:
            failures.append(error)
    if failures:
        raise failures[0]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Start servers that live as long as the test."""
    with ExitStack() as stack:

        def begin(vhosts: str = "", **more: object) -> ChangingServer:
            return stack.enter_context(ChangingServer(tmp_path, vhosts, **more))  # type: ignore[arg-type]

        yield begin


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def casters(serve: Callable[..., Server], pair: Pair) -> Casters:
    """A server that is published to without RTMP."""
    return serve_casters(serve, pair)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory, pair: Pair) -> Iterator[proxysite.Site]:
    """Every listener demands a PROXY header."""
    with proxysite.run(
        tmp_path_factory.mktemp("proxied"), pair, "trusted_proxies 127.0.0.1;", "proxy_protocol on;"
    ) as site:
        yield site


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, pair: Pair) -> Iterator[proxysite.Site]:
    """No listener takes PROXY headers; this machine and 10.0.0.0/8 are HTTP proxies."""
    with proxysite.run(
        tmp_path_factory.mktemp("plain"), pair, "trusted_proxies 127.0.0.1 10.0.0.0/8;", ""
    ) as site:
        yield site
