"""`http_api { auth }`: HTTP Basic authentication (RFC 7617)."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable

from fastflv.config.model.webserver import ApiAuth
from fastflv.protocols.http.message import Request, Response


class Password:
    """Who may ask the API."""

    def __init__(self, auth: Callable[[], ApiAuth]) -> None:
        """*auth* returns the settings in force."""
        self._auth = auth

    @property
    def asked(self) -> bool:
        """Requests need a password."""
        return self._auth().enabled

    def refusal(self, request: Request) -> Response | None:
        """Return the refusal of a request without the password; None: it may go on."""
        auth = self._auth()
        if not auth.enabled:
            return None
        secret = f"{auth.username}:{auth.password}".encode()
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(token.strip(), validate=True)
        except ValueError:
            given = b""
        if scheme.lower() == "basic" and hmac.compare_digest(given, secret):
            return None
        return Response.of_text(401, WWW_Authenticate='Basic realm="fastflv"')
