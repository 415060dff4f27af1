"""HLS: sessions with much text, sessions that all expire at once, a publisher whose clock stands still."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from attack import Attack
from bystanders import NAMES
from flvread import VIDEO
from publisher import Publisher, headers, picture
from server import HOST, MIB, vhost_text

HLS = "hls { enabled on; hls_fragment 2; }"
PATH = f"/live/{NAMES[1]}.m3u8"
BATCH = 16


@pytest.fixture
def attack(under_attack: Callable[..., Attack]) -> Attack:
    return under_attack(vhost_text(remux="on_missing 1;", more=HLS))


def ask_all(port: int, requests: Iterator[str]) -> int:
    """Send requests on one connection, BATCH at a time; return how many were answered with a playlist."""
    found = 0
    with socket.create_connection((HOST, port), 60) as sock:
        answers = sock.makefile("rb")
        batch: list[str] = []

        def flush() -> None:
            nonlocal found
            sock.sendall("".join(batch).encode())
            for _ in batch:
                status = answers.readline()
                length = 0
                while (line := answers.readline()) not in (b"\r\n", b""):
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                found += b"200" in status and b"hls_ctx=" in answers.read(length)
            batch.clear()

        for request in requests:
            batch.append(request)
            if len(batch) == BATCH:
                flush()
        flush()
    return found


def request(path: str, *fields: str) -> str:
    return "\r\n".join((f"GET {path} HTTP/1.1", f"Host: {HOST}", *fields, "", ""))


def test_sessions_with_long_referers_are_small(attack: Attack) -> None:
    asked = (request(PATH, f"Referer: http://{number}.example/{'x' * 15_000}") for number in range(5000))
    with attack.measured():
        assert ask_all(attack.server.http, asked) == 5000
    attack.check_delay()
    attack.check_memory(peak=30 * MIB)


@pytest.mark.slow
def test_sessions_with_long_queries_have_a_bound(attack: Attack) -> None:
    asked = (request(f"{PATH}?n={number}&token={'x' * 15_000}") for number in range(8000))
    with attack.measured():
        assert ask_all(attack.server.http, asked) == 8000
    attack.check_delay()
    # HLS_SESSIONS_TEXT_BYTES, and what the sessions cost besides.
    attack.check_memory(peak=90 * MIB)


@pytest.mark.slow
def test_sessions_that_expire_together_delay_nobody(attack: Attack) -> None:
    asked = (request(PATH) for _ in range(30_000))
    assert ask_all(attack.server.http, asked) == 30_000
    with attack.measured():
        # What is left are the healthy streams and their players.
        while attack.server.ask("clients?count=1")["total"] > 100:
            threading.Event().wait(1)
    attack.check_delay()
    attack.check_memory(peak=10 * MIB)


def test_a_clock_that_stands_still_fills_no_memory(attack: Attack) -> None:
    server = attack.server
    publisher = Publisher(server.rtmp, timeout=60).publish("still")
    publisher.tags(headers())
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            connection = http.client.HTTPConnection(HOST, server.http, timeout=30)
            connection.request("GET", "/live/still.m3u8")
            text = connection.getresponse().read().decode()
            for line in text.split("\n"):
                if line.startswith("/"):
                    connection.request("GET", line)
                    connection.getresponse().read()
            connection.close()
            over.wait(1)

    viewer = threading.Thread(target=watch)
    with attack.measured():
        publisher.tag(VIDEO, 0, picture(0, key=True, size=1000))
        viewer.start()
        for number in range(1, 1200):
            publisher.tag(VIDEO, 0, picture(number, key=number % 50 == 0, size=200_000))
            # Faster than that the muxer loses most of it.
            over.wait(0.005)
        server.log.wait("clock stands still")
        over.set()
        publisher.sock.close()
        viewer.join()
    attack.check_delay()
    # HLS_SEGMENT_BYTES_MAX, and the history of the log that the muxer reads.
    attack.check_memory(peak=150 * MIB)
