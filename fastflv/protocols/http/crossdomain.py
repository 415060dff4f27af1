"""What pages of other sites may do (CORS): which methods they may use, and whether a private address may be asked.

Spec: Fetch, 3.2 (CORS protocol); Private Network Access.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from fastflv.protocols.http.message import Request

READING: Final = ("GET", "HEAD")
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE")


class CrossDomain(NamedTuple):
    """What a resource allows pages of any other site, always without credentials."""

    methods: tuple[str, ...]
    "Methods of requests whose answers a page may read; a preflight for any other method is not granted."

    private: bool
    "A page on a public address may ask a server on a private one."


NONE: Final = CrossDomain((), False)
"No page of another site may do anything."

PLAY: Final = CrossDomain(READING, True)
"Streams: pages may play them."

LOOK: Final = CrossDomain(READING, False)
"An API without a password: pages may read what they can reach, and change nothing."

MANAGE: Final = CrossDomain(METHODS, True)
"An API with a password, which a page has to know and send by itself."


def cors_fields(request: Request, allowed: CrossDomain) -> dict[str, str]:
    """Return the CORS headers of the answer to a request; Vary alone where it names no origin or its method is not *allowed*."""
    headers = request.headers
    # A cache must not give a page the answer that another client got without these headers (RFC 9110, 12.5.5).
    vary = {"Vary": "Origin"}
    if "origin" not in headers:
        return vary
    preflight = request.method == "OPTIONS"
    # Browsers compare a granted method with no list for POST: the headers must be absent.
    if (
        headers.get("access-control-request-method", "GET") if preflight else request.method
    ) not in allowed.methods:
        return vary
    fields = {
        **vary,
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": ", ".join((*allowed.methods, "OPTIONS")),
        "Access-Control-Allow-Headers": headers.get("access-control-request-headers", "*"),
        "Access-Control-Expose-Headers": "*",
        "Access-Control-Max-Age": "86400",
    }
    if allowed.private:
        # Chrome sends a preflight before a page on a public address may read from a private one.
        fields["Access-Control-Allow-Private-Network"] = "true"
    return fields
