"""What the exchanges of all versions of HTTP share: how far an answer is, who reads the body, and what a lost client ends."""

from __future__ import annotations

import logging
import os
from abc import abstractmethod
from collections.abc import Callable
from enum import IntEnum
from typing import Generic, TypeVar

from fastflv.net.deadline import Deadline
from fastflv.protocols.http.crossdomain import CrossDomain, cors_fields
from fastflv.protocols.http.exchange import BodySink, Exchange
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.http.bodywriter import H1BodyWriter, H2BodyWriter
from fastflv.servers.http.filesend import SocketFileSend, TransportFileSend

log = logging.getLogger(__name__)

Writer = TypeVar("Writer", H1BodyWriter, H2BodyWriter)


class Stage(IntEnum):
    """How far an answer is."""

    NONE = 0
    BEGUN = 1
    DONE = 2


class StagedExchange(Exchange, Generic[Writer]):
    """Base of the exchanges: subclasses deliver bodies and send answers."""

    __slots__ = ("_expects", "_file", "_gone", "_idle", "_paused", "_sink", "_stage", "_writer", "whole")

    def __init__(self, request: Request, *, cross_domain: CrossDomain) -> None:
        super().__init__(request, cross_domain=cross_domain)
        self._stage = Stage.NONE
        self._gone = False
        self._sink: BodySink | None = None
        self._paused = False
        self._idle: float | None = None
        self._expects = request.expects
        self.whole = False
        "The request was read to its end."
        self._file: SocketFileSend | TransportFileSend | None = None
        self._writer: Writer | None = None

    @property
    @abstractmethod
    def _deadline(self) -> Deadline:
        """Ends what the client does not go on with."""

    @abstractmethod
    def _deliver_soon(self) -> None:
        """Deliver what has come of the body, behind the present call."""

    @property
    def answered(self) -> bool:
        return self._stage is not Stage.NONE

    @property
    def done(self) -> bool:
        return self._stage is Stage.DONE

    # --- the body of the request ---

    def pause(self) -> None:
        self._paused = True
        if self._sink is not None and self._stage is Stage.NONE:
            self._deadline.clear()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            if self._sink is not None and not self.closed:
                self._expect_data()
                self._deliver_soon()

    def _expect_data(self) -> None:
        """Drop a client that sends nothing for too long. While an answer is sent, its own time counts."""
        if self._stage is not Stage.NONE or self._paused or self.whole:
            return
        if self._idle is not None:
            self._deadline.set(self._idle)
        else:
            self._deadline.clear()

    # --- the answer ---

    def _with_cors(self, head: Response) -> Response:
        """Return *head* with what its answer says to pages of other sites."""
        cors = cors_fields(self.request, self.cross_domain)
        if "Vary" in head.headers:
            cors["Vary"] += f", {head.headers['Vary']}"
        # `dataclasses.replace` costs 3 us, a tenth of what an answer from memory costs.
        return Response(
            head.status, head.body, head.content_type, head.headers | cors, head.endless, head.size
        )

    def _file_absent(self, missing: Response) -> None:
        self._stage = Stage.NONE
        self._file = None
        self.respond(missing)

    def _file_failed(self, error: BaseException) -> None:
        """Break an answer off whose file cannot be read to its end."""
        request = self.request
        log.warning(
            "http %s: %s is broken off: %s", request.ip, request.path, error, extra=request.peer.marks
        )
        self.break_off()

    def lost(self) -> None:
        """The client is lost, was refused, or took the request back."""
        if self._gone:
            return
        self._gone = True
        self._drop_answer()
        sink, self._sink = self._sink, None
        lost, self.on_lost = self.on_lost, None
        if sink is not None:
            sink.ended(False)
        if lost is not None:
            lost()

    def break_off(self) -> None:
        self._gone = True
        self._drop_answer()
        self.on_lost = None
        self._cut()

    @abstractmethod
    def _cut(self) -> None:
        """Show the client that the answer ends before its end."""

    def _drop_answer(self) -> None:
        if self._file is not None:
            self._file.cancel()
            self._file = None
        if self._writer is not None:
            self._writer.stop()
            self._writer = None


def drop_file(file: str | int, released: Callable[[], None] | None) -> None:
    """Close a file that is not sent, where it is open, and forget what stands before it."""
    if isinstance(file, int):
        os.close(file)
    if released is not None:
        released()
