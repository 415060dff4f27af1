"""Requests of pages of other sites that CORS does not see: links, images and scripts."""

from __future__ import annotations

from fastflv.protocols.http.message import Request


def from_other_site(request: Request) -> bool:
    """Return whether a browser says that a page of another site made the request (Fetch Metadata, 2.4).

    Clients that are no browsers say nothing, and no page can make a browser say otherwise.
    """
    return request.headers.get("sec-fetch-site", "none") in ("cross-site", "same-site")


def from_other_origin(request: Request) -> bool:
    """Return whether a browser says that a page of another origin made the request: by `Origin`, or by Fetch Metadata.

    Browsers send no Fetch Metadata to a plain HTTP server on another machine, but each request whose answer a page could
    read has `Origin` (Fetch, 3.1). A page of the same host on another port is of another origin.
    """
    origin = request.headers.get("origin")
    if origin is None:
        return from_other_site(request)
    return origin.partition("://")[2].lower() != request.headers.get("host", "").lower()
