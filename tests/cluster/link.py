"""A server behind a network link of its own, which can be cut, delayed, or lose one connection within a message.

The link is a pair of TUN devices, one in the network namespace of the server, and a thread that passes packets between
them: so every packet can be held or dropped, whatever queueing disciplines the kernel has.
"""

from __future__ import annotations

import fcntl
import heapq
import itertools
import os
import select
import shutil
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import Final, Self

TUNSETIFF: Final = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000
PACKET_BYTES: Final = 1500
"Largest packet of a link (MTU)."
NETWORK: Final = "198.18"
"Addresses for tests of networks (RFC 2544)."

_numbers = itertools.count(1)


def obstacle() -> str:
    """Return why this process may make no link; empty where it may."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not Path("/dev/net/tun").exists():
        return "no /dev/net/tun"
    if shutil.which("ip") is None or shutil.which("ss") is None:
        return "no iproute2"
    made = subprocess.run(["ip", "netns", "add", _name(0)], capture_output=True, text=True)
    if made.returncode:
        return f"no network namespaces: {made.stderr.strip()}"
    _ip("netns", "del", _name(0))
    return ""


def _name(number: int) -> str:
    return f"flv{os.getpid()}-{number}"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _open_tun(name: str) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def destination_port(packet: bytes) -> int:
    """Return the TCP port that *packet* goes to (RFC 791, RFC 9293); 0 for other packets."""
    if packet[0] >> 4 != 4 or packet[9] != 6:
        return 0
    start = (packet[0] & 15) * 4
    return int.from_bytes(packet[start + 2 : start + 4], "big")


class Link(threading.Thread):
    """Use as a context manager. What is on the other side is started with the words of `prefix` before its own."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        number = next(_numbers)
        self.namespace = _name(number)
        # Two runs on one machine have other addresses.
        subnet = (os.getpid() * 16 + number) % 256
        self.near = f"{NETWORK}.{subnet}.1"
        "Address of this side."
        self.far = f"{NETWORK}.{subnet}.2"
        "Address of the server."
        self.prefix = ("ip", "netns", "exec", self.namespace)
        self.delay = 0.0
        "Of each packet, either way, seconds."
        self.is_cut = False
        "All packets are dropped."
        self.broken = threading.Event()
        "A packet of the connection of `break_within` has arrived that ends within a message; the rest is dropped."
        self._port = 0
        self._devices = tuple(f"flv{os.getpid() % 10_000}.{number}{side}" for side in "ab")
        self._enough = threading.Event()
        self._held: list[tuple[float, int, int, bytes]] = []
        self._order = itertools.count()

    def __enter__(self) -> Self:
        near, far = self._devices
        _ip("netns", "add", self.namespace)
        self._fds = tuple(_open_tun(name) for name in self._devices)
        _ip("link", "set", far, "netns", self.namespace)
        _ip("addr", "add", self.near, "peer", self.far, "dev", near)
        _ip("link", "set", near, "up", "mtu", str(PACKET_BYTES))
        _ip("-n", self.namespace, "addr", "add", self.far, "peer", self.near, "dev", far)
        _ip("-n", self.namespace, "link", "set", far, "up", "mtu", str(PACKET_BYTES))
        _ip("-n", self.namespace, "link", "set", "lo", "up")
        self.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._enough.set()
        self.join(10)
        for fd in self._fds:
            os.close(fd)
        _ip("netns", "del", self.namespace)

    def break_within(self, port: int) -> None:
        """Pass one full packet more to the local *port*, then drop what goes there: a message ends in its middle."""
        self.broken.clear()
        self._port = port

    def mend(self) -> None:
        """Pass everything at once again."""
        self.delay, self.is_cut, self._port = 0.0, False, 0

    def run(self) -> None:
        near, far = self._fds
        other = {near: far, far: near}
        while not self._enough.is_set():
            due = self._held[0][0] - time.monotonic() if self._held else 0.1
            ready, _, _ = select.select(self._fds, [], [], min(max(due, 0.0), 0.1))
            for fd in ready:
                self._read(fd, other[fd])
            while self._held and self._held[0][0] <= time.monotonic():
                _, _, to, packet = heapq.heappop(self._held)
                self._write(to, packet)

    def _read(self, fd: int, to: int) -> None:
        try:
            packet = os.read(fd, PACKET_BYTES + 100)
        except OSError:
            return
        if self.is_cut:
            return
        if self._port and to == self._fds[0] and destination_port(packet) == self._port:
            if self.broken.is_set():
                return
            if len(packet) == PACKET_BYTES:
                self.broken.set()
        if self.delay:
            heapq.heappush(self._held, (time.monotonic() + self.delay, next(self._order), to, packet))
        else:
            self._write(to, packet)

    def _write(self, fd: int, packet: bytes) -> None:
        try:
            os.write(fd, packet)
        except OSError:
            # A device that is down or full loses packets as any link does.
            return


def sockets_to(address: str, pid: int) -> list[int]:
    """Return the local ports of the connections of the process *pid* to *address*."""
    words = ["ss", "-Htnp", "state", "established", "dst", address]
    rows = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    return [int(row.split()[2].rpartition(":")[2]) for row in rows if f"pid={pid}," in row]


def kill_socket(address: str, port: int) -> None:
    """Abort the connection to *address* from the local *port*."""
    subprocess.run(
        ["ss", "-HKtn", "dst", address, "sport", "=", f":{port}"], check=True, stdout=subprocess.DEVNULL
    )
