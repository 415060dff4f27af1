"""Certificates for a test, servers that speak TLS, and clients that look closely."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from model.ports import free_ports
from patience import patient
from server import HOST, Server


class Pair(NamedTuple):
    """A certificate and its key, PEM."""

    cert: Path
    key: Path


def make_pair(folder: Path, *names: str) -> Pair:
    """Write a self-signed certificate for *names* and 127.0.0.1 into *folder*; skip without openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    pair = Pair(folder / "cert.pem", folder / "key.pem")
    alternative = ",".join([f"IP:{HOST}", *(f"DNS:{name}" for name in names)])
    words = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=fastflv -addext subjectAltName={alternative}"
    subprocess.run(
        [openssl, *words.split(), "-keyout", str(pair.key), "-out", str(pair.cert)],
        check=True, capture_output=True, timeout=patient(30),
    )  # fmt: skip
    return pair


class SecureServer(NamedTuple):
    """A running server and its TLS ports."""

    server: Server
    https: int
    rtmps: int

    def quiet_fds(self) -> int:
        """Descriptors once their number has stood still for a while."""
        # With its first handshake, the server opens the poll of those who say nothing.
        socket.create_connection((HOST, self.https)).close()
        return self.server.quiet_fds()


def serve_tls(serve: Callable[..., Server], vhosts: str, *pairs: Pair, more: str = "") -> SecureServer:
    """Start a server with HTTPS of *pairs* and RTMPS of the first of them."""
    https, rtmps = free_ports(2)
    certs = " ".join(str(pair.cert) for pair in pairs)
    keys = " ".join(str(pair.key) for pair in pairs)
    web = f"https {{ enabled on; listen {https}; cert {certs}; key {keys}; }}"
    more += f" rtmps {{ enabled on; listen {rtmps}; cert {pairs[0].cert}; key {pairs[0].key}; }}"
    return SecureServer(serve(vhosts, web=web, more=more), https, rtmps)


def trusting(pair: Pair | None = None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A client's context: it checks the certificate against *pair*, or takes any."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if pair is not None:
        context.load_verify_locations(pair.cert)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


class RecordSpy:
    """A TLS client that sees the records: it decrypts from memory and notes how long each one was."""

    def __init__(self, port: int, context: ssl.SSLContext, host: str = HOST) -> None:
        self.sock = socket.create_connection((HOST, port), 15)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host)
        self._wire = bytearray()
        self.records: list[int] = []
        "Length of each record of application data behind the handshake, bytes."
        self.notified = False
        "The server has said that nothing more will come (close_notify)."
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._exchange()
        self._flush()
        self.records.clear()

    def __enter__(self) -> RecordSpy:
        return self

    def __exit__(self, *failure: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self._tls.write(data)
        self._flush()

    def recv(self) -> bytes:
        """Return what is there, or wait for it; b"" at the end."""
        while True:
            try:
                data = self._tls.read(1 << 20)
                self.notified = not data
                return data
            except ssl.SSLWantReadError:
                if not self._exchange():
                    return b""

    def _flush(self) -> None:
        self.sock.sendall(self._out.read())

    def _exchange(self) -> bool:
        self._flush()
        data = self.sock.recv(1 << 18)
        self._in.write(data)
        self._wire += data
        while len(self._wire) >= 5:
            size = int.from_bytes(self._wire[3:5], "big")
            if len(self._wire) < 5 + size:
                break
            if self._wire[0] == 23:
                self.records.append(size)
            del self._wire[: 5 + size]
        return bool(data)
