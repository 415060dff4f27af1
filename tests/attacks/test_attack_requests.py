"""Peers that ask more in one read than the server should do before it looks at anybody else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from attack import Attack
from flvread import SCRIPT, VIDEO, Tag, flv_file
from httppush import HttpPush
from publisher import Publisher
from server import HOST, MIB

from fastflv import limits
from fastflv.media.amf import amf0
from fastflv.protocols.rtmp.commands import COMMAND_AMF0


def pipeline(port: int, path: str, count: int) -> None:
    """Send *count* requests as fast as the server takes them, and read their answers until the last."""
    one = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    last = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
    sock = socket.create_connection((HOST, port), 60)
    done = threading.Event()

    def read() -> None:
        while sock.recv(1 << 18):
            pass
        done.set()

    thread = threading.Thread(target=read)
    thread.start()
    sock.sendall(one * count + last)
    assert done.wait(60), "the server does not come to the last request"
    thread.join()
    sock.close()


def test_pipelined_requests_are_answered_in_turns(under_attack: Callable[..., Attack]) -> None:
    attack = under_attack()
    with attack.measured():
        pipeline(attack.server.http, "/nothing", 30_000)
    attack.check_delay()
    attack.check_memory(peak=10 * MIB)


@pytest.mark.parametrize(
    "path", ["/api/v1/summaries", "/metrics", "/api/v1/vhosts", "/api/v1/clients?count=100000"]
)
def test_pipelined_questions_to_the_api_are_answered_in_turns(
    under_attack: Callable[..., Attack], path: str
) -> None:
    attack = under_attack()
    with attack.measured():
        pipeline(attack.server.api, path, 2000)
    attack.check_delay()
    attack.check_memory(peak=10 * MIB)


def test_commands_full_of_nulls_are_read_in_turns(under_attack: Callable[..., Attack]) -> None:
    attack = under_attack()
    nulls = amf0.encode("x", 0.0) + b"\5" * 3900
    count = limits.NONMEDIA_BYTES_MAX // len(nulls) - 2
    with ExitStack() as stack, attack.measured():
        peers = [Publisher(attack.server.rtmp, timeout=60).connect() for _ in range(4)]
        for peer in peers:
            stack.callback(peer.close)
            peer.set_chunk(65536)
        for peer in peers:
            peer.raw(b"".join(wire(nulls) for _ in range(count)))
        for number, peer in enumerate(peers):
            # Its answer comes behind the last of them.
            peer.begin(f"behind{number}")
    attack.check_delay()


def wire(body: bytes) -> bytes:
    """A command as one chunk."""
    return b"\3\0\0\0" + len(body).to_bytes(3, "big") + bytes([COMMAND_AMF0]) + bytes(4) + body


def test_script_data_in_the_body_of_a_publish_is_taken_in_turns(under_attack: Callable[..., Attack]) -> None:
    attack = under_attack()
    size = limits.NONMEDIA_BYTES_MAX // limits.NONMEDIA_MESSAGES_MAX
    script = Tag(SCRIPT, 0, amf0.encode("onMetaData", {f"a{n}": 1.0 for n in range(size // 13 - 2)}))
    with HttpPush(attack.server.http, "/live/script.flv", timeout=60) as push, attack.measured():
        push.begin([script] * (limits.NONMEDIA_MESSAGES_MAX - 1))
        assert push.finish().status == 200
    attack.check_delay()


def test_a_body_in_chunks_of_one_byte_is_read_in_turns(under_attack: Callable[..., Attack]) -> None:
    attack = under_attack()
    with HttpPush(attack.server.http, "/live/small.flv", timeout=60) as push, attack.measured():
        body = flv_file([Tag(VIDEO, 0, b"\x27\1" + bytes(300_000))])
        push.sock.sendall(b"".join(b"1\r\n%c\r\n" % byte for byte in body))
        assert push.finish().status == 200
    attack.check_delay()
