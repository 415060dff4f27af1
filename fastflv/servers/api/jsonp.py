"""JSONP: an answer as a script that calls a function of the page, and a method in the query."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from fastflv.protocols.http.message import Request, Response
from fastflv.servers.api.crosssite import from_own_page
from fastflv.servers.api.operation import JSON, refused

BAD_CALLBACK: Final = 4058
SCRIPT: Final = "text/javascript"
METHODS: Final = ("GET", "PUT", "POST", "DELETE")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


PARAMETERS: Final = ("callback", "method")
"Of the query: they say how the request is answered, not what it asks for."


def method_of(request: Request) -> str:
    """Return the method that a request means: with a callback its query may name one."""
    named = request.args.get("method", "").upper() if "callback" in request.args else ""
    return named if request.method == "GET" and named in METHODS else request.method


def refusal(request: Request, *, password: bool) -> Response | None:
    """Return why a request with a callback is not answered so; None where it may be.

    *password*: the API asks for one. A browser sends it along with the scripts of any page, so that a page of another site
    must neither read nor change anything; without a password it may read.
    """
    name = request.args.get("callback")
    if name is None:
        return None
    if not _NAME.fullmatch(name):
        return refused(BAD_CALLBACK)
    if (password or method_of(request) != "GET") and not from_own_page(request):
        return Response.of_text(403, "only a page of this server may do this by a script")
    return None


def wrap(request: Request, response: Response) -> Response:
    """Return a JSON answer as the script that the request asks for; any other as it is."""
    name = request.args.get("callback")
    if name is None or response.content_type != JSON:
        return response
    # Two line ends of Unicode are none in JSON, and were in scripts.
    body = response.body.replace("\u2028".encode(), b"\\u2028").replace("\u2029".encode(), b"\\u2029")
    headers = {**response.headers, "X-Content-Type-Options": "nosniff"}
    return replace(response, body=f"{name}(".encode() + body + b")", content_type=SCRIPT, headers=headers)
