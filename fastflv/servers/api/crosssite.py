"""Requests of pages of other sites that CORS does not see: links, images and scripts."""

from __future__ import annotations

from fastflv.protocols.http.message import Request


def from_other_site(request: Request) -> bool:
    """Return whether a browser says that a page of another site made the request (Fetch Metadata, 2.4).

    Clients that are no browsers say nothing, and no page can make a browser say otherwise.
    """
    return request.headers.get("sec-fetch-site", "none") in ("cross-site", "same-site")
