"""What several tests share: sockets, sender threads that are always stopped, an writer, and quick looks at media."""

from __future__ import annotations

import gc
import os
import select
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from model.flv import Feed
from tlsfiles import make_pair

from fastflv import limits
from fastflv._ext.fanout.sender import Sender, SendHandle
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog

# Benchmarks and fuzz targets are not installed. Last, so that an installed fastflv counts before the checkout.
sys.path.append(str(Path(__file__).parents[1]))

settings.register_profile("fastflv", deadline=None)
settings.load_profile("fastflv")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `-n N --dist loadfile`: attacks one after the other, since they measure; flows, which wait, before units, which compute."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "attacks" if "/attacks/" in file else file

    # In the order of the collection, instead of files with many tests first.
    config.option.loadscopereorder = False
    return Scheduling(config, log)


def connected(receive_bytes: int = 0, send_bytes: int = 0) -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a TCP connection: the server's, non-blocking, and the client's."""
    with socket.socket() as listener:
        if receive_bytes:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        client = socket.socket()
        if receive_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.settimeout(10)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
    server.setblocking(False)
    if send_bytes:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_bytes)
    return server, client


@pytest.fixture
def tcp() -> Iterator[Callable[..., tuple[socket.socket, socket.socket]]]:
    """Make connections; their ends are closed after the test."""
    made: list[socket.socket] = []

    def make(**sizes: int) -> tuple[socket.socket, socket.socket]:
        ends = connected(**sizes)
        made.extend(ends)
        return ends

    yield make
    for end in made:
        end.close()


@pytest.fixture
def senders() -> Iterator[Callable[..., Sender]]:
    """Start sender threads; they are stopped after the test."""
    made: list[Sender] = []

    def make(threads: int = 1, **bounds: float) -> Sender:
        made.append(Sender(threads, **bounds))
        return made[-1]

    yield make
    for sender in made:
        sender.stop()
        sender.reap()


def wait_reaped(sender: Sender, count: int = 1, seconds: float = 10.0) -> list[SendHandle]:
    """Wait until *count* players have left; return them."""
    left: list[SendHandle] = []
    poll = select.poll()
    poll.register(sender.fd, select.POLLIN)
    while len(left) < count:
        assert poll.poll(seconds * 1000), f"{len(left)} of {count} players left"
        left += sender.reap()
    return left


@pytest.fixture
def reaped() -> Callable[..., list[SendHandle]]:
    return wait_reaped


@pytest.fixture
def descriptors() -> Callable[[], set[str]]:
    """Return what the open descriptors of this process are; not what another thread has open for a moment."""

    def look() -> set[str]:
        names = set()
        for fd in os.listdir("/proc/self/fd"):
            try:
                names.add(f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}")
            except FileNotFoundError:
                continue
        return names

    def ask() -> set[str]:
        first = look()
        gc.collect()
        return first & look()

    return ask


@pytest.fixture
def feed() -> Feed:
    """Make an writer that has begun, behind a chunk reader."""
    writer = StreamWriter(MediaLog())
    writer.begin(10)
    return Feed(writer)


@pytest.fixture
def quick(monkeypatch):
    """Media comes faster than in life; so must it be looked at."""
    monkeypatch.setattr(limits, "HLS_PULL_SECONDS", 0.02)


@pytest.fixture(scope="session")
def contexts(tmp_path_factory):
    """TLS contexts of a server and of its clients."""
    pair = make_pair(tmp_path_factory.mktemp("pair"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pair.cert, pair.key)
    client = ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    return server, client


@pytest.fixture(params=["plain", "tls"])
def tls(request, contexts):
    return contexts if request.param == "tls" else (None, None)
