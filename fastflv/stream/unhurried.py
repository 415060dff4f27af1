"""Readers of a stream by a clock of their own: they hold what they have not read, and read early where media comes faster than time."""

from __future__ import annotations

from collections.abc import Callable

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv._ext.log.observer import BehindObserver
from fastflv.media.codecs import AUDIO, VIDEO
from fastflv.media.tagflags import CONFIG, KEY, NOTES, OTHER
from fastflv.stream.place import Place
from fastflv.stream.stream import Stream

Entry = tuple[int, int, int, bytes]
"Kind, flags, time in ms, and the whole tag."


def observe(stream: Stream, behind: Callable[[], None]) -> BehindObserver:
    """Have *behind* called where media waits for longer than READ_BEHIND_MS; the caller detaches it from the log."""
    observer = BehindObserver(stream.log, behind, limits.READ_BEHIND_MS)
    stream.log.attach(observer)
    return observer


class Unhurried:
    """A reader of the log of *stream*, from *position* on until `close`. The publisher is read no sooner for it.

    *behind* is called within the publish that brings more than READ_BEHIND_MS since the last `take`.
    """

    def __init__(self, stream: Stream, position: int, behind: Callable[[], None]) -> None:
        self._stream = stream
        self._headers = stream.writer.header_tags(stream.log.head_dts)
        "As of the begin."
        self._cursor = Cursor(stream.log, position=position)
        self._observer = observe(stream, behind)
        stream.outlets.unhurried += 1

    @property
    def jumps(self) -> int:
        """How often the log had lost what was next."""
        return self._cursor.jumps

    def take(self) -> list[Entry]:
        """Return what is new, oldest first."""
        entries = self._cursor.take_tags()
        self._observer.read_ms = self._stream.log.head_dts
        return entries

    def place(self, *, video: bool) -> Place | None:
        """Return the oldest keyframe that is held, without *video* the oldest sound; None before it has come.

        For a reader that has taken nothing yet.
        """
        log, next_ = self._stream.log, self._cursor.position
        rows = [row for row in log.tags() if row[0] >= next_]
        wanted = VIDEO if video else AUDIO
        for count, (position, _, dts_ms, kind, flags) in enumerate(rows):
            if kind == wanted and not flags & OTHER and (flags & KEY or not video):
                known = self._headers if next_ >= log.tail else b""
                since = [
                    log.read(at, at + size)
                    for at, size, *_, flags in rows[:count]
                    if flags & (CONFIG | NOTES)
                ]
                headers = self._stream.writer.headers_since(b"".join((known, *since)), dts_ms)
                return Place(position, kind, dts_ms, headers)
        return None

    def close(self) -> None:
        self._cursor.close()
        self._stream.log.detach(self._observer)
        self._stream.outlets.unhurried -= 1
