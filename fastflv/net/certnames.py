"""The host names in an X.509 certificate.

Python's ssl module tells the names of a peer that it verified, but not those of a certificate that a
server is about to use, and a library for the one field would be a large dependency. So the few levels of
DER down to `subjectAltName` are walked here. Nothing else of the certificate is looked at, and nothing
depends on it but the choice of a certificate by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

OCTET_STRING: Final = 0x04
SEQUENCE: Final = 0x30
DNS_NAME: Final = 0x82
EXTENSIONS: Final = 0xA3
SUBJECT_ALT_NAME: Final = bytes((0x55, 0x1D, 0x11))
"2.5.29.17."


def certificate_names(der: bytes) -> tuple[str, ...]:
    """Return the DNS names of a certificate, lower case, in its order; `*.example.com` may be one of them.

    The common name of the subject is not among them (RFC 9525, 2). Raises ValueError when *der* is no
    certificate. Spec: RFC 5280, 4.1 and 4.2.1.6; X.690, 8.1.
    """
    [certificate] = _elements(der, SEQUENCE)
    body = next(_elements(certificate, SEQUENCE), None)
    if body is None:
        raise ValueError("the certificate is empty")
    for tag, field in _tagged(body):
        if tag != EXTENSIONS:
            continue
        [extensions] = _elements(field, SEQUENCE)
        for extension in _elements(extensions, SEQUENCE):
            (_, kind), *_, (last, value) = _tagged(extension)
            if kind == SUBJECT_ALT_NAME and last == OCTET_STRING:
                [names] = _elements(value, SEQUENCE)
                return tuple(
                    name.decode("ascii").lower()
                    for tag, name in _tagged(names)
                    if tag == DNS_NAME and name.isascii()
                )
    return ()


def _elements(der: bytes, kind: int) -> Iterator[bytes]:
    """The content of each element in *der*, which are all of one *kind*."""
    for tag, content in _tagged(der):
        if tag != kind:
            raise ValueError(f"an element is of type {tag:#x} instead of {kind:#x}")
        yield content


def _tagged(der: bytes) -> Iterator[tuple[int, bytes]]:
    """The tag and the content of each element in *der*."""
    at = 0
    while at < len(der):
        if at + 2 > len(der) or der[at] & 0x1F == 0x1F:
            raise ValueError("an element has no head of two octets")
        tag, size = der[at], der[at + 1]
        at += 2
        if size & 0x80:
            octets = size & 0x7F
            if not 1 <= octets <= 4 or at + octets > len(der):
                raise ValueError("an element has no length")
            size = int.from_bytes(der[at : at + octets], "big")
            at += octets
        if at + size > len(der):
            raise ValueError("an element is longer than what holds it")
        yield tag, der[at : at + size]
        at += size
