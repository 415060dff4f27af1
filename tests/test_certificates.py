"""Certificates by name, over real handshakes; new files while the listener runs; names out of DER."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from fastflv.errors import StartupError
from fastflv.net.certificates import Certificates
from fastflv.net.certnames import certificate_names

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
RSA = "rsa:2048"
ECDSA = "ec -pkeyopt ec_paramgen_curve:P-256"
LIVE, SHOP = ("live.example.com", "*.live.example.com"), ("shop.example.com",)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make a self-signed certificate and its key; return (certificate, key). Equal wishes give a new pair each time."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl")

    def make(*names: str, key: str = ECDSA, more: str = "") -> tuple[str, str]:
        folder = tmp_path_factory.mktemp("tls")
        alternative = f"-addext subjectAltName={','.join(f'DNS:{name}' for name in names)}" if names else ""
        words = f"req -x509 -newkey {key} -days 2 -subj /CN=fastflv {alternative} -keyout key.pem -out cert.pem {more}"
        words += "" if "passout" in more else " -nodes"
        subprocess.run([openssl, *words.split()], cwd=folder, check=True, capture_output=True, timeout=30)
        return str(folder / "cert.pem"), str(folder / "key.pem")

    return make


@pytest.fixture(scope="module")
def pairs(made):
    return [made(*LIVE), made(*SHOP, key=RSA)]


def der(cert: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(Path(cert).read_text())


class Listener:
    """A TLS listener in a loop of its own, as the server's; it closes what it accepts after the handshake."""

    def __init__(self, certificates: Certificates) -> None:
        self.certificates = certificates
        started = threading.Event()

        async def run() -> None:
            self._loop = asyncio.get_running_loop()
            self._ended = asyncio.Event()
            server = await self._loop.create_server(Farewell, "127.0.0.1", 0, ssl=certificates.context)
            self.port = server.sockets[0].getsockname()[1]
            started.set()
            await self._ended.wait()
            server.close()

        self._thread = threading.Thread(target=uvloop.run, args=(run(),))
        self._thread.start()
        assert started.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)

    def handshake(self, name, version=ssl.TLSVersion.TLSv1_3, client=None, session=None):
        """One connection; return the certificate given (DER), the session, whether it was resumed, the version."""
        client = client or client_context(version)
        plain = socket.create_connection(("127.0.0.1", self.port), 10)
        with client.wrap_socket(plain, server_hostname=name, session=session) as tls:
            given = tls.getpeercert(True)
            # Tickets of TLS 1.3 come with the first bytes after the handshake.
            while tls.recv(100):
                pass
            return given, tls.session, tls.session_reused, tls.version()


class Farewell(asyncio.Protocol):
    def connection_made(self, transport) -> None:
        transport.write(b"bye")
        transport.close()


def client_context(version, trusted: str = "") -> ssl.SSLContext:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.minimum_version = client.maximum_version = version
    if trusted:
        client.load_verify_locations(trusted)
    else:
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
    return client


@pytest.fixture
def listening():
    made = []

    def start(certificates):
        made.append(Listener(certificates))
        return made[-1]

    yield start
    for listener in made:
        listener.stop()


# By name

ASKED = {
    "its name": ("live.example.com", 0),
    "the other's name": ("shop.example.com", 1),
    "in capitals": ("SHOP.Example.COM", 1),
    "below a wildcard": ("a.live.example.com", 0),
    "two levels below a wildcard": ("a.b.live.example.com", 0),
    "an unknown name": ("elsewhere.example.com", 0),
    "a name above": ("example.com", 0),
    "an address": ("127.0.0.1", 0),
    "no name": (None, 0),
}


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
def test_a_client_gets_the_certificate_of_the_name_that_it_asks_for_else_the_first(pairs, listening, version):
    listener = listening(Certificates(pairs))
    for why, (name, which) in ASKED.items():
        given, _, _, spoken = listener.handshake(name, version)
        assert given == der(pairs[which][0]), why
        assert spoken == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]


def test_a_wildcard_stands_for_one_label_and_an_exact_name_goes_before_it(made, listening):
    own, wild, exact = made("own.example.com"), made("*.example.com"), made("a.example.com", "b.example.com")
    listener = listening(Certificates([own, wild, exact]))
    asked = {
        "a.example.com": exact,
        "b.example.com": exact,
        "c.example.com": wild,
        "a.c.example.com": own,
        "example.com": own,
    }
    for name, pair in asked.items():
        assert listener.handshake(name)[0] == der(pair[0]), name


def test_of_two_certificates_for_a_name_the_first_counts(made, listening):
    first, second = made("a.example.com"), made("a.example.com", key=RSA)
    listener = listening(Certificates([made(), first, second]))
    assert listener.handshake("a.example.com")[0] == der(first[0])


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
@pytest.mark.parametrize("which", [0, 1], ids=["ECDSA", "RSA"])
def test_a_client_that_verifies_is_content(pairs, listening, version, which):
    client = client_context(version, trusted=pairs[which][0])
    given, *_ = listening(Certificates(pairs)).handshake((LIVE, SHOP)[which][0], client=client)
    assert given == der(pairs[which][0])


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
def test_a_session_is_resumed_even_after_new_files(made, listening, version):
    pair = made(*LIVE)
    certificates = Certificates([pair, made(*SHOP)])
    listener = listening(certificates)
    client = client_context(version)
    for name in ("live.example.com", "shop.example.com"):
        _, session, resumed, _ = listener.handshake(name, client=client)
        assert not resumed and session.has_ticket
        _, session, resumed, _ = listener.handshake(name, client=client, session=session)
        assert resumed
    assert certificates.reload()
    assert listener.handshake(name, client=client, session=session)[2]


# New files


def replace(pair, fresh) -> None:
    """Put the files of *fresh* in the place of *pair*, one after the other, as those who renew certificates do."""
    for old, new in zip(pair, fresh, strict=True):
        shutil.copyfile(new, f"{old}.new")
        os.replace(f"{old}.new", old)


@pytest.mark.parametrize("key", [ECDSA, RSA], ids=["ECDSA", "RSA"])
def test_new_files_hold_from_the_next_handshake_on(made, listening, caplog, key):
    pair, shop = made(*LIVE), made(*SHOP)
    certificates = Certificates([pair, shop])
    listener = listening(certificates)
    old = der(pair[0])
    assert listener.handshake("live.example.com")[0] == old
    assert not certificates.check()
    # Another kind of key: no client may get the old certificate because it prefers that kind.
    replace(pair, made("new.example.com", key=key))
    assert listener.handshake("live.example.com")[0] == old
    with caplog.at_level(logging.INFO):
        assert certificates.check()
        assert not certificates.check()
    for version in VERSIONS:
        assert listener.handshake("new.example.com", version)[0] == der(pair[0]) != old
        assert listener.handshake("shop.example.com", version)[0] == der(shop[0])
    [line] = [record.getMessage() for record in caplog.records]
    assert pair[0] in line and "new.example.com" in line


def broken_text(pair, made):
    Path(pair[0]).write_text("-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n")


def missing_key(pair, made):
    os.unlink(pair[1])


def another_key(pair, made):
    shutil.copyfile(made(*LIVE)[1], pair[1])


def empty(pair, made):
    Path(pair[0]).write_text("")


def with_a_passphrase(pair, made):
    replace(pair, made(*LIVE, more="-passout pass:secret"))


@pytest.mark.parametrize("damage", [broken_text, missing_key, another_key, empty, with_a_passphrase])
def test_a_pair_that_cannot_be_used_keeps_the_one_before_and_says_so_once(made, listening, caplog, damage):
    pair = made(*LIVE)
    old, fresh = der(pair[0]), made(*LIVE)
    certificates = Certificates([pair])
    listener = listening(certificates)
    damage(pair, made)
    assert not certificates.check()
    assert not certificates.check()
    assert not certificates.reload()
    assert listener.handshake("live.example.com")[0] == old
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2 and lines[0] == lines[1]
    assert pair[0] in lines[0] or pair[1] in lines[0]
    assert lines[0].endswith("the certificate read before stays in use")
    replace(pair, fresh)
    assert certificates.check()
    assert listener.handshake("live.example.com")[0] == der(fresh[0])


def test_one_broken_pair_does_not_hold_up_the_others(made, listening):
    live, shop = made(*LIVE), made(*SHOP)
    certificates = Certificates([live, shop])
    listener = listening(certificates)
    old = der(live[0])
    os.unlink(live[0])
    replace(shop, made(*SHOP))
    assert certificates.check()
    assert not certificates.reload()
    assert listener.handshake("shop.example.com")[0] == der(shop[0])
    assert listener.handshake("live.example.com")[0] == old


# At start

UNUSABLE = {
    "a certificate that is not there": (lambda cert, key: ("gone.crt", key), "gone.crt does not exist"),
    "a key that is not there": (lambda cert, key: (cert, "gone.key"), "gone.key does not exist"),
    "the files the wrong way round": (lambda cert, key: (key, cert), "cannot use certificate"),
    "a directory": (
        lambda cert, key: (os.path.dirname(cert), key),
        "cannot use certificate .*: is a directory",
    ),
}


def changed(path: str, change) -> str:
    """A copy of the file at *path* with its text changed."""
    copy = f"{path}.changed"
    Path(copy).write_text(change(Path(path).read_text()))
    return copy


def cut(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join((lines[0], "AAAA\n", *lines[3:]))


UNUSABLE |= {
    "a certificate of garbage": (
        lambda cert, key: (changed(cert, lambda text: "garbage\n"), key),
        "the certificate file holds no certificate",
    ),
    "a key of garbage": (
        lambda cert, key: (cert, changed(key, lambda text: "garbage\n")),
        "the key file holds no private key",
    ),
    "two certificates": (lambda cert, key: (cert, cert), "the key file holds a certificate"),
    "a damaged certificate": (lambda cert, key: (changed(cert, cut), key), "the certificate is damaged"),
    "a damaged key": (lambda cert, key: (cert, changed(key, cut)), "the key is damaged"),
}


@pytest.mark.parametrize(("wrong", "words"), UNUSABLE.values(), ids=UNUSABLE)
def test_files_that_cannot_be_used_stop_the_start_with_a_sentence(pairs, wrong, words):
    with pytest.raises(StartupError, match=words) as caught:
        Certificates([pairs[1], wrong(*pairs[0])])
    assert "_ssl.c" not in str(caught.value)


def test_a_key_of_another_certificate_is_said_to_be_one(made):
    for kinds in ((RSA, RSA), (ECDSA, RSA)):
        (cert, _), (_, key) = (made(*LIVE, key=kind) for kind in kinds)
        with pytest.raises(StartupError, match="the key belongs to another certificate"):
            Certificates([(cert, key)])


def test_a_file_that_may_not_be_read_is_said_to_be_locked(pairs, tmp_path):
    cert, key = pairs[0]
    locked = shutil.copy(key, tmp_path / "key.pem")
    os.chmod(locked, 0)
    user = os.geteuid()
    if user == 0:
        # Root reads every file, and nobody reads those of this test.
        os.seteuid(65534)
    try:
        with pytest.raises(StartupError, match=r"user \d+ may not read it; change its mode or owner"):
            Certificates([(cert, str(locked))])
    finally:
        os.seteuid(user)


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(made):
    with pytest.raises(StartupError, match="write it without a passphrase"):
        Certificates([made(*LIVE, more="-passout pass:secret")])


def test_a_certificate_whose_names_cannot_be_read_is_used_as_the_first(made, listening, monkeypatch, caplog):
    pair = made(*LIVE)
    text = Path(pair[0]).read_text()
    # OpenSSL takes this older label too.
    Path(pair[0]).write_text(text.replace(" CERTIFICATE-", " X509 CERTIFICATE-"))
    listener = listening(Certificates([pair]))
    assert listener.handshake("live.example.com")[0] == ssl.PEM_cert_to_DER_cert(text)
    assert "no client gets it by name" in caplog.text


# Names


def told_by_ssl(cert: str) -> tuple[str, ...]:
    """The DNS names of a certificate as the ssl module tells them of a peer that it verified."""
    pair = (cert, str(Path(cert).with_name("key.pem")))
    server, client = Certificates([pair]).context, client_context(ssl.TLSVersion.TLSv1_3, cert)
    client.check_hostname = False
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)]
    for _ in range(4):
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return tuple(value for kind, value in ends[0].getpeercert()["subjectAltName"] if kind == "DNS")


NAMES = {
    "one": ("a.example.com",),
    "several and a wildcard": ("a.example.com", "*.b.example.com", "xn--bcher-kva.example"),
    "very many": tuple(f"{n}.example.com" for n in range(300)),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_the_names_of_a_certificate_are_those_that_ssl_tells(made, names):
    cert, _ = made(*names)
    assert certificate_names(der(cert)) == told_by_ssl(cert) == names


def test_other_kinds_of_names_and_other_extensions_are_passed_over(made):
    cert, _ = made("a.example.com,IP:127.0.0.1,IP:::1,email:a@example.com,URI:http://x,DNS:B.example.com",
                   more="-addext keyUsage=digitalSignature -addext extendedKeyUsage=serverAuth")  # fmt: skip
    assert certificate_names(der(cert)) == ("a.example.com", "b.example.com")


def test_a_certificate_without_alternative_names_has_none(made):
    assert certificate_names(der(made()[0])) == ()


@pytest.fixture(scope="module")
def certificate(made) -> bytes:
    return der(made(*LIVE, key=RSA)[0])


@given(st.data())
def test_whatever_the_bytes_they_give_names_or_a_value_error(certificate, data):
    cut = data.draw(st.integers(0, len(certificate)))
    at = data.draw(st.lists(st.tuples(st.integers(0, len(certificate) - 1), st.integers(0, 255)), max_size=4))
    changed = bytearray(certificate)
    for place, value in at:
        changed[place] = value
    for wire in (certificate[:cut], bytes(changed), bytes(changed[cut:]), data.draw(st.binary(max_size=64))):
        try:
            names = certificate_names(wire)
        except ValueError:
            continue
        assert all(name.isascii() and name == name.lower() for name in names)


def test_a_certificate_cut_anywhere_is_a_value_error(certificate):
    for size in range(len(certificate)):
        with pytest.raises(ValueError):
            certificate_names(certificate[:size])
