"""Answers requests with what stands below the roots: a file, a part of one, the way to a directory, or why there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

from fastflv.errors import FilesBusyError
from fastflv.net.filepool import FilePool
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.servers.files.answer import answer_file, refuses_method
from fastflv.servers.files.opening import Folders, OpenFile, Unopened, open_first
from fastflv.servers.files.parts import MediaParts
from fastflv.servers.files.seek import part_of
from fastflv.servers.files.smallfiles import SmallFiles

Absent = Callable[[], None]
"Answers a request for which there is no file."


class FileServer:
    """The files of a server."""

    def __init__(self, pool: FilePool) -> None:
        self._pool = pool
        self._parts = MediaParts(pool.indexing)
        self._small = SmallFiles(pool.opening)

    def answer(self, exchange: Exchange, folders: Folders, absent: Absent) -> None:
        """Answer with the file in the first of *folders* that has it, at once or later."""
        known = self._small.find(folders)
        if known is not None:
            self._answer(exchange, known, absent)
            return
        try:
            opening = self._pool.opening.run(open_first, folders)
        except FilesBusyError as error:
            exchange.respond(Response.of_text(503, f"{error.detail}; ask again", Retry_After="1"))
            return
        opening.add_done_callback(partial(self._opened, exchange, folders, absent))

    def _opened(
        self,
        exchange: Exchange,
        folders: Folders,
        absent: Absent,
        opening: asyncio.Future[OpenFile | Unopened],
    ) -> None:
        if opening.cancelled():
            exchange.respond(
                Response.of_text(503, "no thread is free to look for it; ask again", Retry_After="1")
            )
            return
        found = opening.result()
        if found is Unopened.ABSENT or (isinstance(found, OpenFile) and found.body is not None):
            self._small.keep(folders, found)
        self._answer(exchange, found, absent)

    def _answer(self, exchange: Exchange, found: OpenFile | Unopened, absent: Absent) -> None:
        if isinstance(found, OpenFile):
            self._send(exchange, found)
        elif found is Unopened.ABSENT:
            absent()
        elif found is Unopened.FOLDER:
            request = exchange.request
            query = f"?{request.query}" if request.query else ""
            exchange.respond(Response.of_text(301, Location=_address(request.path) + "/" + query))
        else:
            exchange.respond(Response.of_text(found.value))

    def _send(self, exchange: Exchange, file: OpenFile) -> None:
        part = part_of(file.path, exchange.request.args) if exchange.request.query else None
        if part is None:
            answer_file(exchange, file)
        elif not refuses_method(exchange, file):
            self._parts.answer(exchange, file, part)


def _address(path: str) -> str:
    """Return a decoded path as it stands in a Location, which begins with one slash: two would name another host."""
    return "/" + quote(path.strip("/"), safe="/!$&'()*+,;=:@~")
