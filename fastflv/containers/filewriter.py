"""Writers of media files: tags of a stream in, bytes to append out, and patches that complete the file.

No writer knows a file: the caller appends what `take` returns, and at the end writes what `finish` yields, in its
order. A crash between any two of these writes leaves a file that can be repaired.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping

from fastflv._ext.syntax.flvtag import traits
from fastflv.containers.flv.header import body_of
from fastflv.media.amf.values import Value
from fastflv.media.codecs import AUDIO, VIDEO, codec_name

Entry = tuple[int, int, int, bytes]
"`(kind, flags, dts_ms, tag)` as `Cursor.take_tags` returns it."

Patch = tuple[int, bytes]
"An offset in the file, and what is written there."


class FileWriter(ABC):
    """Base of the writers; one object a file."""

    def __init__(self, metadata: Mapping[str, Value], base_ms: int) -> None:
        self.metadata = metadata
        "Of the stream; may be replaced by what its publisher says later."
        self.base_ms = base_ms
        "Time of the stream that is 0 in the file."
        self.size = 0
        "Bytes of the file, with those that `take` has yet to return."
        self.codecs: dict[int, str] = {}
        "Names of the codecs by kind (8, 9), as far as frames came."
        self._last: dict[int, tuple[int, int]] = {}
        "By kind: time of the newest frame in the file, and the step to it, ms."

    @property
    def audio(self) -> bool:
        return AUDIO in self._last

    @property
    def video(self) -> bool:
        return VIDEO in self._last

    @property
    def duration_ms(self) -> int:
        """End of the newest frame."""
        return max(map(self.end_of, self._last), default=0)

    def end_of(self, kind: int) -> int:
        """End of a track, ms: its last frame is as long as the one before. 0 without one."""
        return sum(self._last.get(kind, (0, 0)))

    def count(self, kind: int, time_ms: int, tag: bytes) -> None:
        """Count a frame."""
        last = self._last.get(kind)
        if last is None:
            if kind not in (AUDIO, VIDEO):
                return
            self.codecs[kind] = codec_name(kind, traits(kind, body_of(tag))[1])
            self._last[kind] = (time_ms, 0)
        elif time_ms > last[0]:
            self._last[kind] = (time_ms, time_ms - last[0])

    @abstractmethod
    def add(self, entries: Iterable[Entry]) -> None:
        """Add entries of the log."""

    @abstractmethod
    def take(self) -> bytes:
        """Return the bytes to append, b"" without any."""

    @abstractmethod
    def finish(self, read: Callable[[int, int], bytes]) -> Iterator[Patch]:
        """Yield what completes the file. *read(offset, size)* returns bytes of it; may be called on a thread."""
