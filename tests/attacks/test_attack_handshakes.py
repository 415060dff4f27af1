"""Peers before their protocol has begun: thousands who say nothing or half of it, and floods of TLS handshakes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from select import POLLIN, poll
from time import monotonic

import pytest
from attack import Attack
from model.hello import hello
from model.ports import free_ports
from server import HOST, MIB, until, vhost_text
from tlsfiles import make_pair

from fastflv.control.process import raise_file_limit

PEERS = 8000
FLOOD = 2000
HANDSHAKES_MS = 40.0
"Bound of the p99 while the processor signs for strangers."
SAID = {
    "nothing, to tls": ("https", b""),
    "half a hello": ("https", hello()[:200]),
    "nothing, to proxied": ("proxied", b""),
    "half a header": ("proxied", b"PROXY TCP4 192.0.2.1"),
}


def site(under_attack: Callable[..., Attack], folder: Path) -> tuple[Attack, dict[str, int]]:
    """Return a server, and its ports of HTTPS and of RTMPS behind PROXY headers."""
    https, rtmps = free_ports(2)
    pair = make_pair(folder)
    secure = f"enabled on; cert {pair.cert}; key {pair.key};"
    attack = under_attack(
        vhost_text(),
        web=f"https {{ {secure} listen {https}; }}",
        more=f"trusted_proxies {HOST}; rtmps {{ {secure} listen {rtmps}; proxy_protocol on; }}",
        connections=PEERS + 1000,
    )
    return attack, {"https": https, "proxied": rtmps}


def connect(port: int, stack: ExitStack, said: bytes) -> socket.socket:
    sock = stack.enter_context(socket.create_connection((HOST, port), 60))
    sock.sendall(said)
    return sock


def connections(attack: Attack) -> int:
    return int(attack.server.ask("summaries")["data"]["system"]["conn_srs"])


@pytest.mark.slow
@pytest.mark.parametrize("end", ["leave", "time is up"])
@pytest.mark.parametrize("said", SAID)
def test_peers_that_never_begin_hold_up_nobody_at_their_end(
    under_attack: Callable[..., Attack], tmp_path: Path, said: str, end: str
) -> None:
    attack, ports = site(under_attack, tmp_path)
    before = connections(attack)
    port, first = SAID[said]
    raise_file_limit()
    with ExitStack() as stack:
        for _ in range(PEERS):
            connect(ports[port], stack, first)
        # They have ten seconds, which those who came first may have used up.
        until(lambda: connections(attack) >= before + PEERS // 2, "most are there", 60)
        with attack.measured():
            if end == "leave":
                stack.close()
            until(lambda: connections(attack) <= before, "all are gone", 60)
    attack.check_delay()
    attack.check_memory(peak=20 * MIB)


@pytest.mark.slow
def test_a_flood_of_tls_handshakes_that_end_at_once_holds_up_nobody(
    under_attack: Callable[..., Attack], tmp_path: Path
) -> None:
    attack, ports = site(under_attack, tmp_path)
    before = connections(attack)
    raise_file_limit()
    said = hello()
    waiting = poll()
    with ExitStack() as stack, attack.measured():
        # The server signs for each, and none goes on.
        unanswered = {each.fileno() for each in (connect(ports["https"], stack, said) for _ in range(FLOOD))}
        for fd in unanswered:
            waiting.register(fd, POLLIN)
        deadline = monotonic() + 60
        while unanswered:
            assert monotonic() < deadline, f"{len(unanswered)} handshakes have no answer"
            for fd, _ in waiting.poll(1000):
                waiting.unregister(fd)
                unanswered.discard(fd)
        stack.close()
        until(lambda: connections(attack) <= before, "all are gone", 60)
    attack.check_delay(HANDSHAKES_MS)
