"""SRS's origin cluster: `origin_cluster on; coworkers HOST:APIPORT ...`. An RTMP player of a stream that is published at another
origin is sent there (RTMP 302).

As SRS: each coworker is asked by `/api/v1/clusters`, in the order of the file, and the first that has the stream counts.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from fastflv.access.hookfaults import HookFaults
from fastflv.access.request import AccessRequest, Action
from fastflv.access.rule import Answer, LateRule, Waiting
from fastflv.access.verdict import ALLOW, Redirected, Verdict
from fastflv.cluster.traverse import Question
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.net.httpclient import HttpClient, HttpReply
from fastflv.stream.name import StreamName

RTMP = ("rtmp", "rtmps")


class CoworkerRule(LateRule):
    """*coworkers_of*: APIs of the other origins by vhost, HOST:PORT; none where `origin_cluster` is off.

    *is_here*: whether this server has a stream.
    """

    __slots__ = ("_client", "_coworkers_of", "_faults", "_is_here", "_loop")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: HttpClient,
        faults: HookFaults,
        is_here: Callable[[StreamName], bool],
        coworkers_of: Callable[[str], Sequence[str]],
    ) -> None:
        self._loop = loop
        self._client = client
        self._faults = faults
        self._is_here = is_here
        self._coworkers_of = coworkers_of

    def ask(self, request: AccessRequest, answer: Answer) -> Verdict | Waiting:
        if request.action is not Action.PLAY or request.scheme not in RTMP:
            return ALLOW
        coworkers = self._coworkers_of(request.vhost)
        name = StreamName(request.vhost, request.app, request.stream)
        if not coworkers or self._is_here(name):
            return ALLOW
        return Question(self._loop.create_task(self._ask(request, coworkers, answer)))

    def preview(self, request: AccessRequest) -> Verdict:
        """It refuses nobody: who is sent on plays there."""
        return ALLOW

    async def _ask(self, request: AccessRequest, coworkers: Sequence[str], answer: Answer) -> None:
        for coworker in coworkers:
            fields = {
                "vhost": request.vhost,
                "ip": request.peer.ip,
                "app": request.app,
                "stream": request.stream,
                "coworker": coworker,
            }
            url = f"http://{coworker}/api/v1/clusters"
            reply = await self._client.send("POST", f"{url}?{urlencode(fields)}")
            place, fault = origin_of(reply)
            self._faults.note("coworker", url, fault)
            if place:
                answer(Redirected(f"rtmp://{place}/{request.app}/{request.stream}{_param(request)}"))
                return
        answer(ALLOW)


def origin_of(reply: HttpReply) -> tuple[str, str]:
    """Return host and port of the origin that an answer names, empty without one; and what is wrong with the answer."""
    if reply.fault or reply.status != 200:
        return "", reply.fault or f"status {reply.status}"
    try:
        origin = json.loads(reply.body)["data"]["origin"]
        if origin is None:
            return "", ""
        host, port = origin["ip"], origin["port"]
    except (ValueError, TypeError, KeyError):
        return "", "an answer that is none of SRS's"
    if not (isinstance(host, str) and host and isinstance(port, int) and 0 < port < 65536):
        return "", "an origin without an address"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}", ""


def _param(request: AccessRequest) -> str:
    if request.vhost == DEFAULT_VHOST or "vhost=" in request.param:
        return request.param
    return f"{request.param}{'&' if request.param else '?'}vhost={request.vhost}"
