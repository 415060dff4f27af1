"""How HTTP and WebSocket say that a player or publisher is refused."""

from __future__ import annotations

import math
from typing import Final

from fastflv.net.peerlog import peer_logger
from fastflv.playing.join import JoinFailure, JoinRefused
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.stream.pendingpublish import PublishFailure, PublishRefused

log = peer_logger(__name__)

STATUS: Final = {
    JoinFailure.UNAUTHORIZED: 401,
    JoinFailure.FORBIDDEN: 403,
    JoinFailure.MISSING: 404,
    JoinFailure.UNPLAYABLE: 406,
    JoinFailure.OUTSIDE: 416,
    JoinFailure.TOO_MANY: 429,
    JoinFailure.FULL: 503,
    JoinFailure.UNAVAILABLE: 503,
    JoinFailure.NO_ROOM: 503,
    PublishFailure.UNAUTHORIZED: 401,
    PublishFailure.FORBIDDEN: 403,
    PublishFailure.TOO_MANY: 429,
    PublishFailure.FULL: 503,
    PublishFailure.UNAVAILABLE: 503,
    PublishFailure.BUSY: 409,
}

CLOSE_CODES: Final = {
    JoinFailure.UNAUTHORIZED: 3000,
    JoinFailure.FORBIDDEN: 3003,
    PublishFailure.UNAUTHORIZED: 3000,
    PublishFailure.FORBIDDEN: 3003,
    PublishFailure.BUSY: 4409,
}
"""Close codes of a WebSocket (IANA: Unauthorized, Forbidden; 4409 as the status 409, in the range for private use).

A browser hides the status of a failed handshake from the page, but shows the code of a close. So these refusals complete
the handshake and close; a redirect, a missing or an unplayable stream is answered with its HTTP status.
"""


def refuse_play(exchange: Exchange, what: str, response: Response) -> None:
    """Answer a play that fails before or behind its join, with a line in the log; *what*: the stream or path asked for."""
    peer, reason = exchange.request.peer, response.body.decode()
    log.info("player from %s of %s refused: %s", peer.ip, what, reason, extra=peer.marks)
    exchange.respond(response)


def join_refusal(refused: JoinRefused, url: str) -> Response:
    """Return the response for a player that does not get the stream *url*, which the body names."""
    if refused.failure is JoinFailure.REDIRECTED:
        return _redirect(refused.reason)
    return _text(STATUS[refused.failure], _named(url, refused.reason), refused.retry_after)


def publish_refusal(refused: PublishRefused, url: str) -> Response:
    """Return the response for a publisher that does not get the name *url*, which the body has."""
    if refused.failure is PublishFailure.REDIRECTED:
        return _redirect(refused.reason)
    return _text(STATUS[refused.failure], _named(url, refused.reason), refused.retry_after)


def as_refusal(response: Response) -> Response:
    """Return *response* with the headers of a refusal: others, or the same client later, may be admitted."""
    response.headers["Cache-Control"] = "no-store"
    if response.status == 401:
        # RFC 9110, 15.5.2: a 401 names a scheme.
        response.headers["WWW-Authenticate"] = 'Bearer realm="fastflv"'
    return response


def _named(url: str, reason: str) -> str:
    return reason if url in reason else f"{url}: {reason}"


def _text(status: int, text: str, retry_after: float) -> Response:
    response = as_refusal(Response.of_text(status, text))
    if retry_after:
        response.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
    return response


def _redirect(url: str) -> Response:
    return Response.of_text(302, f"the stream is at {url}", Location=url, Cache_Control="no-store")
