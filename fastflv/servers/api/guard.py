"""Who may ask the API what: its password (RFC 7617), `read_only`, and what is answered without a password.

| request | without a password |
|---|---|
| reads what SRS's API shows | everybody, and pages as `crossdomain` says |
| changes something | clients that are no browsers; pages of this origin, under an address or `localhost` |
| private (`Operation.private`) | this machine alone, under an address or `localhost`; no page of another origin |
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from typing import Final

from fastflv.config.model.webserver import ApiAuth, HttpApi
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.api.crosssite import from_other_origin, from_page, from_this_machine, is_form, to_address
from fastflv.servers.api.operation import Operation

ELSEWHERE: Final = (
    "without a password this is answered to the server's own machine alone:"
    " set http_api { auth { enabled on; username NAME; password WORD; } }, or ask http://127.0.0.1 there"
)
PAGE: Final = "pages of other sites may do this with a password alone: set http_api { auth { } }"
NAMED: Final = (
    "without a password this is not answered under a host name, which pages of other sites can have too:"
    " set http_api { auth { } }, or use the IP address or localhost in the URL"
)
FORM: Final = "a page of another site has to send this with Content-Type: application/json"


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
        if settings.read_only and operation.changes:
            return Response.of_text(403, "this API changes nothing: http_api.read_only is on")
        private = operation.is_private(request)
        if private and "callback" in request.args:
            # A script of any page, whose origin a browser does not always tell.
            return Response.of_text(403, "this is not answered as a script")
        if settings.auth.enabled:
            why = FORM if operation.changes and from_other_origin(request) and is_form(request) else ""
        else:
            why = _open_refusal(request, private=private) if private or operation.changes else ""
        return Response.of_text(403, why) if why else None


def _open_refusal(request: Request, *, private: bool) -> str:
    """Return why an API without a password refuses a request that is *private* or changes something; empty: it does not."""
    if private and not from_this_machine(request):
        return ELSEWHERE
    if from_other_origin(request):
        return PAGE
    return NAMED if (private or from_page(request)) and not to_address(request) else ""


def _has_password(request: Request, auth: ApiAuth) -> bool:
    secret = f"{auth.username}:{auth.password}".encode()
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(token.strip(), validate=True)
    except ValueError:
        given = b""
    return scheme.lower() == "basic" and hmac.compare_digest(given, secret)
