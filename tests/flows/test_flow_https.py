"""HTTPS as clients meet it: a certificate for each name on server and API, and refusals that are answered."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from model.ports import free_ports
from server import HOST, Server

NAMES = ("live.example.com", "shop.example.com")


class Secure(NamedTuple):
    """A server with HTTPS for both names, and its API over TLS with the second one's certificate."""

    server: Server
    web: int
    api: int
    folder: Path

    def ask(self, port: int, name: str | None, request: bytes) -> tuple[bytes, str]:
        """Send *request*; return what comes until the end of the connection, and the certificate (PEM)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain = socket.create_connection((HOST, port), 10)
        with context.wrap_socket(plain, server_hostname=name) as tls:
            given = tls.getpeercert(True)
            assert given is not None
            tls.sendall(request)
            data = b""
            while piece := tls.recv(65536):
                data += piece
            return data, ssl.DER_cert_to_PEM_cert(given)

    def certificate(self, name: str) -> str:
        return (self.folder / f"{name}.crt").read_text()


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl")
    folder = tmp_path_factory.mktemp("https")
    for name in NAMES:
        words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=fastflv"
        words += f" -addext subjectAltName=DNS:{name} -keyout {name}.key -out {name}.crt"
        subprocess.run([openssl, *words.split()], cwd=folder, check=True, capture_output=True, timeout=30)
    web, api = free_ports(2)
    cert, key = (" ".join(f"{folder}/{name}.{ending}" for name in NAMES) for ending in ("crt", "key"))
    server = Server(
        folder, web=f"https {{ enabled on; listen {web}; cert {cert}; key {key}; }}", vhosts=VHOSTS
    )
    text = server.file.read_text()
    own = f"https {{ enabled on; listen {api}; cert {folder}/{NAMES[1]}.crt; key {folder}/{NAMES[1]}.key; }}"
    server.file.write_text(text.replace("http_api { enabled on;", f"http_api {{ enabled on; {own}"))
    with server:
        yield Secure(server, web, api, folder)


VHOSTS = (
    "vhost __defaultVhost__ { http_remux { enabled on; on_missing 0; mount /flv/[app]/[stream][.flv]; } }\n"
)


@pytest.mark.parametrize(
    ("name", "given"), [(NAMES[0], NAMES[0]), (NAMES[1], NAMES[1]), ("elsewhere.example.com", NAMES[0]), (None, NAMES[0])]
)  # fmt: skip
def test_each_name_gets_its_certificate_and_others_the_first(
    secure: Secure, name: str | None, given: str
) -> None:
    answer, certificate = secure.ask(
        secure.web, name, b"HEAD /flv/live/none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    assert certificate == secure.certificate(given)
    assert answer.startswith(b"HTTP/1.1 404 ") and b"Retry-After" in answer


def test_the_api_answers_over_tls_with_its_own_certificate(secure: Secure) -> None:
    request = b"GET /api/v1/versions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer, certificate = secure.ask(secure.api, NAMES[0], request)
    assert certificate == secure.certificate(NAMES[1])
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == 0


@pytest.mark.parametrize(
    ("request_", "status"),
    [(b"no HTTP at all\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", 431)],
    ids=["not HTTP", "a long head"],
)
def test_what_is_refused_over_tls_is_answered_and_closed(
    secure: Secure, request_: bytes, status: int
) -> None:
    answer, _ = secure.ask(secure.web, None, request_)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert not secure.server.log.find("Traceback|Fatal")
