"""Answers requests with files: whole, in part, or not at all because the client has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

from fastflv.errors import FilesBusyError
from fastflv.net.filepool import FilePool
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.mediatype import media_type
from fastflv.protocols.http.message import Response
from fastflv.protocols.http.ranges import ByteRange, UnsatisfiableRange, parse_range
from fastflv.protocols.http.validators import is_failed, is_range_wanted, is_unmodified
from fastflv.servers.files.opening import Folders, OpenFile, Unopened, open_first
from fastflv.servers.files.smallfiles import SmallFiles

Absent = Callable[[], None]
"Answers a request for which there is no file."


class FileServer:
    """The files of a server."""

    def __init__(self, pool: FilePool) -> None:
        self._pool = pool
        self._small = SmallFiles(pool.opening.loop.time)

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
            return
        found = opening.result()
        if found is Unopened.ABSENT or (isinstance(found, OpenFile) and found.body is not None):
            self._small.keep(folders, found)
        self._answer(exchange, found, absent)

    def _answer(self, exchange: Exchange, found: OpenFile | Unopened, absent: Absent) -> None:
        if isinstance(found, OpenFile):
            _respond(exchange, found)
        elif found is Unopened.ABSENT:
            absent()
        elif found is Unopened.FOLDER:
            request = exchange.request
            query = f"?{request.query}" if request.query else ""
            exchange.respond(Response.of_text(301, Location=_address(request.path) + "/" + query))
        else:
            exchange.respond(Response.of_text(found.value))


def _respond(exchange: Exchange, file: OpenFile) -> None:
    request = exchange.request
    head = Response(content_type=media_type(file.path), headers=file.validators.fields)
    head.headers["Accept-Ranges"] = "bytes"
    part = ByteRange(0, file.size)
    if request.method not in ("GET", "HEAD"):
        head = Response.of_text(405, Allow="GET, HEAD, OPTIONS")
    elif is_failed(request.headers, file.validators):
        head = Response.of_text(412)
    elif is_unmodified(request.headers, file.validators):
        head.status = 304
    else:
        try:
            found = _range_of(exchange, file)
        except UnsatisfiableRange:
            head = Response.of_text(416, Content_Range=f"bytes */{file.size}")
        else:
            if found is not None:
                part = found
                head.status = 206
                end = part.offset + part.size - 1
                head.headers["Content-Range"] = f"bytes {part.offset}-{end}/{file.size}"
            _send(exchange, head, file, part)
            return
    file.close()
    exchange.respond(head)


def _range_of(exchange: Exchange, file: OpenFile) -> ByteRange | None:
    request = exchange.request
    field = request.headers.get("range")
    if field is None or request.method != "GET" or not is_range_wanted(request.headers, file.validators):
        return None
    return parse_range(field, file.size)


def _send(exchange: Exchange, head: Response, file: OpenFile, part: ByteRange) -> None:
    if file.body is not None:
        head.body = file.body if part.size == file.size else file.body[part.offset : part.offset + part.size]
        exchange.respond(head)
        return
    fd, file.fd = file.fd, -1
    exchange.respond_file(head, fd, part.offset, part.size, missing=Response.of_text(404))


def _address(path: str) -> str:
    """Return a decoded path as it stands in a Location, which begins with one slash: two would name another host."""
    return "/" + quote(path.strip("/"), safe="/!$&'()*+,;=:@~")
