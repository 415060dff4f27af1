"""What hooks are told: the bodies of their requests, with the fields and names of SRS 7."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from fastflv.access.request import AccessRequest, Action

_ENCODE: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
"`json.dumps` would make an encoder for each body."

Fields: TypeAlias = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Bodies:
    """Makes bodies for one server. Tokens and passwords in URLs and queries go to the hook as they came."""

    server_id: str
    service_id: str
    stream_id_of: Callable[[AccessRequest], str]
    "Id of the stream that a request names, also before it begins."

    def connect(self, request: AccessRequest) -> bytes:
        return self._body(
            "on_connect",
            request,
            stream=request.stream,
            param=request.param,
            tcUrl=request.tc_url,
            pageUrl=request.page_url,
        )

    def close(self, request: AccessRequest, sent: int, received: int) -> bytes:
        """*sent*, *received*: bytes of the connection."""
        return self._body("on_close", request, send_bytes=sent, recv_bytes=received)

    def play(self, request: AccessRequest) -> bytes:
        return self._body(
            "on_play",
            request,
            stream=request.stream,
            tcUrl=request.tc_url,
            param=request.param,
            pageUrl=request.page_url,
            **self._stream(request),
        )

    def of_stream(
        self, action: str, request: AccessRequest, stream_id: str = "", **more: str | float
    ) -> bytes:
        """The body of on_publish, on_unpublish, on_stop, on_dvr and on_hls.

        *stream_id*: empty: of the stream that is there, or is the next. *more*: fields of on_dvr and on_hls.
        """
        if request.action is Action.PUBLISH:
            more["role"] = request.role.value
        return self._body(
            action,
            request,
            tcUrl=request.tc_url,
            stream=request.stream,
            param=request.param,
            **more,
            **self._stream(request, stream_id),
        )

    def _stream(self, request: AccessRequest, stream_id: str = "") -> Mapping[str, str]:
        return {
            "stream_url": request.url,
            "stream_id": stream_id or self.stream_id_of(request),
        }

    def _body(self, action: str, request: AccessRequest, **more: str | float) -> bytes:
        fields = {
            "server_id": self.server_id,
            "service_id": self.service_id,
            "action": action,
            "client_id": request.client_id,
            "ip": request.peer.ip,
            "vhost": request.vhost,
            "app": request.app,
            **more,
        }
        return _ENCODE(fields).encode(errors="replace")


def refusal_of(status: int, body: bytes, most: int) -> str:
    """Return why an answer does not allow, one clause; empty where it does.

    Status 200 or 201, and as body `0` or a JSON object whose `code` is the integer 0. *most*: bytes of a body.
    """
    if status not in (200, 201):
        return f"status {status}"
    if body.strip() == b"0":
        return ""
    if not body:
        return "an empty body"
    if len(body) > most:
        return f"a body over {most} bytes"
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return "a body that is neither 0 nor JSON"
    if type(answer) is int and answer:
        return f"code {answer}"
    if not isinstance(answer, dict):
        return "a body that is neither 0 nor a JSON object"
    code = answer.get("code")
    if type(code) is not int:
        return "a JSON object without an integer `code`"
    return f"code {code}" if code else ""
