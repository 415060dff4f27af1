"""How HTTP and WebSocket say that a player or publisher is refused."""

from __future__ import annotations

from typing import Final

from fastflv.playing.join import JoinFailure, JoinRefused
from fastflv.protocols.http.message import Response
from fastflv.stream.pendingpublish import PublishFailure, PublishRefused

STATUS: Final = {
    JoinFailure.UNAUTHORIZED: 401,
    JoinFailure.FORBIDDEN: 403,
    JoinFailure.MISSING: 404,
    JoinFailure.UNPLAYABLE: 406,
    JoinFailure.NO_ROOM: 503,
    PublishFailure.UNAUTHORIZED: 401,
    PublishFailure.FORBIDDEN: 403,
    PublishFailure.BUSY: 409,
}

CLOSE_CODES: Final = {JoinFailure.UNAUTHORIZED: 3000, JoinFailure.FORBIDDEN: 3003}
"""Close codes of a WebSocket (IANA: Unauthorized, Forbidden).

A browser hides the status of a failed handshake from the page, but shows the code of a close. So these refusals complete
the handshake and close; a redirect, a missing or an unplayable stream is answered with its HTTP status.
"""


def join_refusal(refused: JoinRefused) -> Response:
    """Return the response for a player that does not get its stream."""
    if refused.failure is JoinFailure.REDIRECTED:
        return _redirect(refused.reason)
    response = _text(STATUS[refused.failure], refused.reason)
    if refused.retry_after:
        response.headers["Retry-After"] = str(max(1, round(refused.retry_after)))
    return response


def publish_refusal(refused: PublishRefused) -> Response:
    """Return the response for a publisher that does not get its publication."""
    if refused.failure is PublishFailure.REDIRECTED:
        return _redirect(refused.reason)
    return _text(STATUS[refused.failure], refused.reason)


def _text(status: int, text: str) -> Response:
    response = Response.of_text(status, text)
    response.headers["Cache-Control"] = "no-store"
    if status == 401:
        # RFC 9110, 15.5.2: a 401 names a scheme.
        response.headers["WWW-Authenticate"] = 'Bearer realm="fastflv"'
    return response


def _redirect(url: str) -> Response:
    return Response.of_text(302, f"the stream is at {url}", Location=url, Cache_Control="no-store")
