"""HTTP/1.x, the client's reading side of one answer: bytes in; status, fields and pieces of the body out.

Spec: RFC 9112.
"""

from __future__ import annotations

import httptools

from fastflv import limits
from fastflv.errors import HttpReplyError


class Reply:
    """One answer, whose body may be endless."""

    __slots__ = ("_head_bytes", "_parser", "_pieces", "complete", "fields", "status")

    def __init__(self) -> None:
        self.status = 0
        "0 before the whole head has come; interim answers are left out."
        self.fields: dict[str, str] = {}
        "By lower-case name."
        self.complete = False
        "The body has come to its own end: its length, or its last chunk."
        self._pieces: list[bytes] = []
        self._head_bytes = 0
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: memoryview | bytes) -> list[bytes]:
        """Take what came; return the pieces of the body in it. Raises HttpReplyError for what is no answer."""
        if self.complete:
            return []
        if not self.status:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            if not self.complete:
                raise HttpReplyError("the answer changes to another protocol") from error
        except httptools.HttpParserError as error:
            # What stands behind the end is nobody's.
            if not self.complete:
                raise HttpReplyError(f"the answer is no HTTP: {error}") from error
        if not self.status and self._head_bytes > limits.UPSTREAM_HEAD_BYTES_MAX:
            raise HttpReplyError(f"a head of over {limits.UPSTREAM_HEAD_BYTES_MAX} bytes")
        pieces, self._pieces = self._pieces, []
        return pieces

    # --- httptools ---
    # It goes on with what stands behind the end, in the same bytes: another answer, which nobody has asked for.

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.complete:
            return
        self.fields[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 and not self.complete:
            self.status = status

    def on_body(self, body: bytes) -> None:
        # An interim answer has none, whatever it says of it.
        if self.status and not self.complete:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        if self.status:
            self.complete = True
        else:
            self.fields.clear()
