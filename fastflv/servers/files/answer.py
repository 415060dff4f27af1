"""Answers with a file or a part of it: conditions, ranges, heads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from zlib import crc32

from fastflv.containers.cut import Cut
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.protocols.http.ranges import ByteRange, UnsatisfiableRange, parse_range
from fastflv.protocols.http.validators import (
    Validators,
    is_conditional,
    is_failed,
    is_range_wanted,
    is_unmodified,
)
from fastflv.servers.files.opening import OpenFile, file_head

READING: Final = ("GET", "HEAD")


def answer_file(
    exchange: Exchange, file: OpenFile, cut: Cut | None = None, released: Callable[[], None] | None = None
) -> None:
    """Answer with *cut* of *file*, or all of it, as far as the request's conditions and its range ask for it.

    *file* is closed by this call or later. *released* is called once, when what stands before the cut is held no more. A cut is a resource of its own: ranges count within it, and it has a tag of its own.
    """
    request = exchange.request
    if (
        cut is None
        and file.plain is not None
        and request.method in READING
        and not is_conditional(request.headers)
    ):
        exchange.respond(file.plain)
        return
    if cut is None:
        cut = Cut(b"", 0, file.size)
        validators = file.validators
    else:
        validators = file.validators.of_part(cut.offset, cut.size, crc32(cut.before))
    size = len(cut.before) + cut.size
    head = file_head(file.path, validators)
    if refuses_method(exchange, file):
        if released is not None:
            released()
        return
    if is_failed(request.headers, validators):
        head = Response.of_text(412)
    elif is_unmodified(request.headers, validators):
        head.status = 304
    else:
        try:
            part = _range_of(exchange, validators, size)
        except UnsatisfiableRange:
            head = Response.of_text(416, Content_Range=f"bytes */{size}")
        else:
            if part is not None:
                head.status = 206
                head.headers["Content-Range"] = f"bytes {part.offset}-{part.offset + part.size - 1}/{size}"
            _send(exchange, head, file, cut, part or ByteRange(0, size), released)
            return
    file.close()
    exchange.respond(head)
    if released is not None:
        released()


def refuses_method(exchange: Exchange, file: OpenFile) -> bool:
    """Answer a request whose method files do not take, and close *file*; False for one that they take."""
    if exchange.request.method in READING:
        return False
    file.close()
    exchange.respond(Response.of_text(405, Allow="GET, HEAD, OPTIONS"))
    return True


def _range_of(exchange: Exchange, validators: Validators, size: int) -> ByteRange | None:
    request = exchange.request
    field = request.headers.get("range")
    if field is None or request.method != "GET" or not is_range_wanted(request.headers, validators):
        return None
    return parse_range(field, size)


def _send(
    exchange: Exchange,
    head: Response,
    file: OpenFile,
    cut: Cut,
    part: ByteRange,
    released: Callable[[], None] | None,
) -> None:
    before = cut.before[part.offset : part.offset + part.size]
    offset = cut.offset + max(part.offset - len(cut.before), 0)
    size = part.size - len(before)
    if file.body is not None:
        # A body that is sent whole is shared, not copied.
        body = file.body if size == len(file.body) else file.body[offset : offset + size]
        head.body = before + body if before else body
        exchange.respond(head)
        if released is not None:
            released()
        return
    fd, file.fd = file.fd, -1
    exchange.respond_file(
        head, fd, offset, size, missing=Response.of_text(404), before=before, released=released
    )
