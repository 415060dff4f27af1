"""Certificates of TLS listeners: which one a client gets, and new files while the server runs."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastflv.errors import StartupError
from fastflv.net.certnames import certificate_names

log = logging.getLogger(__name__)

PEM_BEGIN, PEM_END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class Loaded:
    """One certificate, ready for handshakes."""

    context: ssl.SSLContext
    "Holds the chain and its key."

    names: tuple[str, ...]
    "Host names it is for, lower case; `*.example.com` is for names with one label before the dot."


class Certificates:
    """The certificates of a listener, chosen by the name that a client asks for (SNI).

    Hand `context` to the listener once. It has no certificate of its own: each handshake is given the
    one for its name, else the first. It holds what sessions are resumed with, so that a client resumes
    over a change of files too.

    `check` may run in another thread than the handshakes, once at a time.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Read *pairs* of paths: certificate and key, PEM. Raises StartupError with what to do."""
        self._pairs = tuple(pairs)
        self._stamps = [_stamp(pair) for pair in self._pairs]
        self._loaded = [_load(*pair) for pair in self._pairs]
        self._choice = _Choice(self._loaded)
        self.context = _context()
        self.context.sni_callback = self._give

    def check(self) -> bool:
        """Read the pairs whose files have changed. Return True when a new certificate is in use.

        A pair that cannot be used leaves the one before in use, and says so once per change.
        """
        return self._read(at for at, pair in enumerate(self._pairs) if _stamp(pair) != self._stamps[at]) > 0

    def reload(self) -> bool:
        """Read every pair, changed or not. Return True when all of them are in use."""
        return self._read(range(len(self._pairs))) == len(self._pairs)

    def _read(self, which: Iterable[int]) -> int:
        fresh = 0
        for at in which:
            pair = self._pairs[at]
            # Before the files themselves: a change while they are read shows the next time.
            self._stamps[at] = _stamp(pair)
            try:
                self._loaded[at] = _load(*pair)
            except StartupError as error:
                log.error("%s; the certificate read before stays in use", error)
                continue
            fresh += 1
            log.info(
                "certificate %s is in use, for %s", pair[0], " ".join(self._loaded[at].names) or "no names"
            )
        if fresh:
            self._choice = _Choice(self._loaded)
        return fresh

    def _give(self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        # The name is None where the client asks for none: an IP address, or a very old client.
        connection.context = self._choice.context_for(name or "")


class _Choice:
    """Certificates by name. Never changes; other certificates make another."""

    def __init__(self, loaded: Sequence[Loaded]) -> None:
        self._default = loaded[0].context
        self._by_name: dict[str, ssl.SSLContext] = {}
        for each in loaded:
            for name in each.names:
                self._by_name.setdefault(name, each.context)

    def context_for(self, name: str) -> ssl.SSLContext:
        """The one for *name* itself, else for `*` and its parent, else the default. Spec: RFC 9525, 6.3."""
        name = name.lower().rstrip(".")
        found = self._by_name.get(name) or self._by_name.get("*." + name.partition(".")[2])
        return found or self._default


def _context() -> ssl.SSLContext:
    """A server context for TLS 1.2 and 1.3; session tickets are on, as OpenSSL has them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A client could make the server work for every few bytes it sends.
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


def _load(cert: str, key: str) -> Loaded:
    context = _context()
    try:
        context.load_cert_chain(cert, key, _refuse_passphrase)
        return Loaded(context, _names(cert))
    except FileNotFoundError:
        missing = cert if not os.path.exists(cert) else key
        raise StartupError(
            f"certificate file {missing} does not exist; give the paths of a PEM certificate and its key"
        ) from None
    except (ssl.SSLError, OSError, ValueError) as error:
        raise StartupError(f"cannot use certificate {cert} with key {key}: {error}") from error


def _names(cert: str) -> tuple[str, ...]:
    with open(cert, encoding="ascii", errors="replace") as file:
        pem = file.read()
    try:
        # The first one in the file is the server's, the others lead to its issuer.
        first = pem[pem.index(PEM_BEGIN) : pem.index(PEM_END) + len(PEM_END)]
        return certificate_names(ssl.PEM_cert_to_DER_cert(first))
    except ValueError as error:
        log.warning("the names of certificate %s cannot be read: %s; no client gets it by name", cert, error)
        return ()


def _refuse_passphrase() -> str:
    # Without this, OpenSSL asks for one on the terminal and the server waits.
    raise ValueError("the key is encrypted; write it without a passphrase (openssl pkey -in KEY -out NEW)")


def _stamp(pair: tuple[str, str]) -> tuple[object, ...]:
    """What tells that the files of *pair* are not those of before."""
    found: list[object] = []
    for path in pair:
        try:
            status = os.stat(path)
        except OSError:
            found.append(None)
        else:
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)
