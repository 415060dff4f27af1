"""`token_traverse`: before an edge serves an RTMP client, an origin is asked by a `connect` with the client's own tcUrl.

Spec: RTMP 1.0, 7.2.1.1. As SRS: the first origin that answers decides, and HTTP clients are not asked about.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence

from fastflv import limits
from fastflv.access.request import AccessRequest
from fastflv.access.rule import UNASKED, Answer, LateRule, Waiting
from fastflv.access.verdict import ALLOW, Refusal, Refused, Verdict, forbid
from fastflv.cluster.address import SECURE, OriginAddress
from fastflv.cluster.remote import load_tls
from fastflv.errors import PeerError
from fastflv.protocols.rtmp.client import ClientSession
from fastflv.protocols.rtmp.clientevents import Connected, Failed, Redirected
from fastflv.protocols.rtmp.connectarguments import ConnectArguments

RTMP = ("rtmp", "rtmps")


class Question:
    """One client about whom an origin is asked."""

    __slots__ = ("_task",)

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def cancel(self) -> None:
        """The client is gone."""
        self._task.cancel()


class TraverseRule(LateRule):
    """Asks the origins of the vhost, where it is an edge with `token_traverse on`."""

    __slots__ = ("_loop", "_origins_of")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, origins_of: Callable[[str], Sequence[OriginAddress]]
    ) -> None:
        """*origins_of* returns the RTMP origins of a vhost in the order in which they are to be asked; none: all may."""
        self._loop = loop
        self._origins_of = origins_of

    def ask(self, request: AccessRequest, answer: Answer) -> Verdict | Waiting:
        origins = self._origins_of(request.vhost) if request.scheme in RTMP else ()
        if not origins:
            return ALLOW
        return Question(self._loop.create_task(self._ask(request, origins, answer)))

    def preview(self, request: AccessRequest) -> Verdict:
        return UNASKED if request.scheme in RTMP and self._origins_of(request.vhost) else ALLOW

    async def _ask(self, request: AccessRequest, origins: Sequence[OriginAddress], answer: Answer) -> None:
        why = ""
        for origin in origins:
            try:
                async with asyncio.timeout(limits.UPSTREAM_ANSWER_SECONDS):
                    verdict = await connect_as(request, origin)
            except TimeoutError:
                why = "no answer in time"
            except (OSError, UnicodeError, PeerError) as error:
                why = str(error)
            else:
                answer(verdict)
                return
        answer(Refused(Refusal.UNAVAILABLE, f"no origin answers for token_traverse: {why}"))


async def connect_as(request: AccessRequest, origin: OriginAddress) -> Verdict:
    """Return what *origin* says to `connect` of the client. Raises OSError and PeerError where it says nothing."""
    tls = await load_tls(asyncio.get_running_loop()) if origin.scheme in SECURE else None
    reader, writer = await asyncio.open_connection(origin.host, origin.port, ssl=tls)
    try:
        arguments = ConnectArguments(tc_url=request.tc_url, app=request.app, page_url=request.page_url)
        session = ClientSession(arguments, noise=os.urandom)
        while True:
            writer.write(session.take_output())
            data = await reader.read(limits.READ_FIRST_BYTES)
            if not data:
                raise ConnectionResetError("the origin closes the connection")
            session.now = time.monotonic()
            for event in session.receive(data):
                match event:
                    case Connected():
                        return ALLOW
                    case Failed(code=code, description=said):
                        return forbid(f"the origin refuses: {said or code}")
                    case Redirected():
                        return ALLOW
    finally:
        writer.transport.abort()
