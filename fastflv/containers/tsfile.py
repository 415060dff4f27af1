"""MPEG-TS files of tags of a stream, by the muxer of live players."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from fastflv._ext.fanout.cursor import Cursor
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.syntax.flvtag import make_tag
from fastflv._ext.ts.mux import TsMux
from fastflv.containers.flv.header import BACK_POINTER_BYTES, TAG_HEADER_BYTES
from fastflv.containers.mpegts import describe


class TsFileWriter:
    """One TS file; *headers*: kinds and bodies of the sequence headers before its first tag.

    Takes entries of a log as `Cursor.take_tags` returns them; their times less *base_ms* are those of the file.
    """

    def __init__(self, headers: Iterable[tuple[int, bytes]], base_ms: int) -> None:
        self._base_ms = base_ms
        self._source = MediaLog()
        log = MediaLog()
        self._mux = TsMux(self._source, log, describe)
        self._mux.begin(b"".join(make_tag(kind, 0, body) for kind, body in headers), 0)
        # A reader, so that the log keeps what `take` has yet to return.
        self._cursor = Cursor(log, position=0, jump_ms=1 << 62, drop_ms=1 << 62)

    def add(self, entries: Iterable[tuple[int, int, int, bytes]]) -> None:
        """Add entries of the log, of some 100 KB at most."""
        for kind, _, dts_ms, tag in entries:
            self._source.append(
                kind, max(dts_ms - self._base_ms, 0), memoryview(tag)[TAG_HEADER_BYTES:-BACK_POINTER_BYTES]
            )

    def take(self) -> bytes:
        """Return the bytes to append, b"" without any."""
        return b"".join(iter(lambda: self._cursor.take(-1), b""))

    def finish(self, read: Callable[[int, int], bytes]) -> Iterator[tuple[int, bytes]]:
        """End the file; a TS needs nothing in its head. What is gathered is left for `take`."""
        self._source.end()
        self._mux.stop()
        return iter(())
