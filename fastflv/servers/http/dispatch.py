"""What each request passes before its handler, on connections of any version of HTTP."""

from __future__ import annotations

import logging

from fastflv.protocols.http import crossdomain
from fastflv.protocols.http.crossdomain import CrossDomain
from fastflv.protocols.http.exchange import Exchange, Handler
from fastflv.protocols.http.heads import ALLOW, METHODS
from fastflv.protocols.http.message import Request, Response

log = logging.getLogger(__name__)


def cross_domain_of(handler: Handler, request: Request) -> CrossDomain:
    """Return what pages of other sites may do with the answer to *request*."""
    # Only browsers ask for it, and players that are no browser need not wait for the answer.
    browser = "origin" in request.headers or request.method == "OPTIONS"
    return handler.cross_domain(request) if browser else crossdomain.NONE


def dispatch(handler: Handler, exchange: Exchange) -> None:
    """Answer preflights, methods that no resource takes, and paths that leave the root; call *handler* otherwise.

    An exception of the handler is answered with 500; an answer that it began is broken off.
    """
    request = exchange.request
    path = request.path
    if request.method == "OPTIONS" and exchange.cross_domain.methods:
        exchange.respond(Response())
    elif request.method not in METHODS:
        exchange.respond(Response.of_text(405, Allow=ALLOW))
    elif "\0" in path or (".." in path and ".." in path.split("/")):
        exchange.respond(Response.of_text(400, "the path leaves the root"))
    else:
        try:
            handler(exchange)
        except Exception:
            fail(exchange)


def fail(exchange: Exchange) -> None:
    """Log the exception in hand, and end its request."""
    request = exchange.request
    log.exception("request %s %s failed", request.method, request.path, extra=request.peer.marks)
    if exchange.answered and not exchange.done:
        exchange.break_off()
    exchange.respond(Response.of_text(500))
