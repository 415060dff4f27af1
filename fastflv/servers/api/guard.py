"""Who may ask the API what: its password (RFC 7617), `read_only`, and what pages of other origins may not read."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable

from fastflv.config.model.webserver import ApiAuth, HttpApi
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.api.crosssite import from_other_origin
from fastflv.servers.api.operation import Operation


class ApiGuard:
    """Refuses requests as `http_api` says."""

    def __init__(self, settings: Callable[[], HttpApi]) -> None:
        """*settings* returns those in force."""
        self._settings = settings

    @property
    def has_password(self) -> bool:
        """Requests need a password."""
        return self._settings().auth.enabled

    def refusal(self, request: Request, operation: Operation | None) -> Response | None:
        """Return the refusal of a request; None: it may go on. *operation*: what it asks for; None: nothing that there is."""
        settings = self._settings()
        guarded = operation is None or operation.guarded
        if guarded and settings.auth.enabled and not _has_password(request, settings.auth):
            return Response.of_text(401, WWW_Authenticate='Basic realm="fastflv"')
        if operation is None:
            return None
        if settings.read_only and operation.method != "GET" and not operation.reads:
            return Response.of_text(403, "this API changes nothing: http_api.read_only is on")
        if operation.private and "callback" in request.args:
            # A script of any page, whose origin a browser does not always tell.
            return Response.of_text(403, "this is not answered as a script")
        if operation.private and not settings.auth.enabled and from_other_origin(request):
            return Response.of_text(
                403, "pages of other sites read this with a password alone: set http_api.auth"
            )
        return None


def _has_password(request: Request, auth: ApiAuth) -> bool:
    secret = f"{auth.username}:{auth.password}".encode()
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(token.strip(), validate=True)
    except ValueError:
        given = b""
    return scheme.lower() == "basic" and hmac.compare_digest(given, secret)
