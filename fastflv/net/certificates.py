"""Certificates of TLS listeners: which one a client gets, and new files while the server runs."""

from __future__ import annotations

import logging
import os
import re
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastflv import limits
from fastflv.errors import StartupError
from fastflv.net.certnames import certificate_names

log = logging.getLogger(__name__)

PEM_BEGIN, PEM_END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
PEM_CERTIFICATE = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )?CERTIFICATE-----")
PEM_KEY = re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")


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

    def __init__(self, pairs: Sequence[tuple[str, str]], offered: Sequence[str] = ()) -> None:
        """Read *pairs* of paths: certificate and key, PEM. Raises StartupError with what to do.

        *offered*: protocols that clients may choose by ALPN, the preferred one first; empty: the choice is not offered.
        """
        self._pairs = tuple(pairs)
        self._offered = list(offered)
        self._stamps = [_stamp(pair) for pair in self._pairs]
        self._loaded = [_load(*pair, self._offered) for pair in self._pairs]
        self._choice = _Choice(self._loaded)
        self.context = _context(self._offered)
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
        fresh = []
        for at in which:
            pair = self._pairs[at]
            # Before the files themselves: a change while they are read shows the next time.
            self._stamps[at] = _stamp(pair)
            try:
                self._loaded[at] = _load(*pair, self._offered)
            except StartupError as error:
                log.error("%s; the certificate read before stays in use", error)
                continue
            fresh.append(at)
        if fresh:
            self._choice = _Choice(self._loaded)
        for at in fresh:
            names = " ".join(self._loaded[at].names) or "no names"
            log.info("certificate %s is in use, for %s", self._pairs[at][0], names)
        return len(fresh)

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


def _context(offered: list[str]) -> ssl.SSLContext:
    """A server context for TLS 1.2 and 1.3 that offers protocols; session tickets are on, as OpenSSL has them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A client could make the server work for every few bytes it sends.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if offered:
        context.set_alpn_protocols(offered)
    return context


def _load(cert: str, key: str, offered: list[str]) -> Loaded:
    texts = _read_pem(cert, "certificate"), _read_pem(key, "key")
    context = _context(offered)
    try:
        context.load_cert_chain(cert, key, _refuse_passphrase)
    except _Encrypted:
        raise StartupError(
            f"key {key} is encrypted; write it without a passphrase: openssl pkey -in {key} -out NEW"
        ) from None
    except (ssl.SSLError, OSError) as error:
        why = _fault(cert, *texts, error)
        raise StartupError(f"cannot use certificate {cert} with key {key}: {why}") from error
    return Loaded(context, _names(cert, texts[0]))


def _read_pem(path: str, what: str) -> str:
    """Return the text of a PEM file. Raises StartupError where it cannot be read."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(limits.CONFIG_FILE_BYTES_MAX)
    except FileNotFoundError:
        raise StartupError(
            f"{what} file {path} does not exist; give the paths of a PEM certificate and its key"
        ) from None
    except PermissionError:
        raise StartupError(
            f"cannot use {what} {path}: user {os.geteuid()} may not read it; change its mode or owner, or the user of the server"
        ) from None
    except OSError as error:
        raise StartupError(
            f"cannot use {what} {path}: {(error.strerror or str(error)).lower()}; give the path of a PEM file"
        ) from None


def _fault(cert: str, chain: str, private: str, error: OSError) -> str:
    """Return what is wrong with a pair that OpenSSL refuses; its own words name lines of its source."""
    if not PEM_CERTIFICATE.search(chain):
        found = "a private key" if PEM_KEY.search(chain) else "no certificate"
        return (
            f"the certificate file holds {found}; write a PEM file that begins with the server's certificate"
        )
    if not PEM_KEY.search(private):
        found = "a certificate" if PEM_CERTIFICATE.search(private) else "no private key"
        return f"the key file holds {found}; write the PEM file with the private key"
    reason = getattr(error, "reason", None) or ""
    # The last one: they are of two kinds, as RSA and ECDSA.
    if reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
        return (
            "the key belongs to another certificate; the server's own certificate comes first in its file, "
            "before those of its issuers"
        )
    if reason in ("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"):
        return "it is too weak for this OpenSSL; make one with RSA of 2048 bits or with ECDSA"
    # Which of the two it is, OpenSSL does not say: the certificate is tried alone.
    try:
        _context([]).load_verify_locations(cert)
    except ssl.SSLError:
        return "the certificate is damaged; take a new copy of the file"
    return "the key is damaged or of an unknown kind; take a new copy of the file"


class _Encrypted(Exception):
    """A key asks for a passphrase."""


def _names(cert: str, pem: str) -> tuple[str, ...]:
    try:
        # The first one in the file is the server's, the others lead to its issuer.
        first = pem[pem.index(PEM_BEGIN) : pem.index(PEM_END) + len(PEM_END)]
        return certificate_names(ssl.PEM_cert_to_DER_cert(first))
    except ValueError as error:
        log.warning("the names of certificate %s cannot be read: %s; no client gets it by name", cert, error)
        return ()


def _refuse_passphrase() -> str:
    # Without this, OpenSSL asks for one on the terminal and the server waits.
    raise _Encrypted


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
