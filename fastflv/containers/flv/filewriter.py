"""FLV files as they are recorded: tags with the times of the file, and at the end a head with duration and index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from fastflv._ext.syntax.flvtag import make_tag
from fastflv.containers.filewriter import Entry, FileWriter, Patch
from fastflv.containers.flv.filehead import file_head, room_for
from fastflv.containers.flv.keyindex import KeyIndex
from fastflv.media.amf.values import Value
from fastflv.media.codecs import VIDEO
from fastflv.media.tagflags import KEY, OTHER


class FlvFileWriter(FileWriter):
    """One FLV file.

    *keys*: keyframes that its index has room for. The head is written at once, with the room; `finish` writes it again.
    """

    def __init__(
        self,
        metadata: Mapping[str, Value],
        headers: Iterable[tuple[int, bytes]],
        base_ms: int,
        *,
        keys: int,
        slack: int = 0,
    ) -> None:
        super().__init__(metadata, base_ms)
        self._first = metadata
        self._keys = KeyIndex(keys)
        self._room = room_for(metadata, keys) + slack
        self._parts: list[bytes] = [file_head(metadata, audio=True, video=True, room=self._room)]
        self._parts += [make_tag(kind, 0, body) for kind, body in headers]
        self.size = sum(map(len, self._parts))

    def add(self, entries: Iterable[Entry]) -> None:
        base, at, keys = self.base_ms, self.size, self._keys
        stamps: list[tuple[int, int]] = []
        parts: list[bytes] = []
        place = 0
        for kind, flags, dts_ms, data in entries:
            time_ms = dts_ms - base
            if time_ms < 0:
                time_ms = 0
            if not flags & OTHER:
                self.count(kind, time_ms, data)
                if kind == VIDEO and flags & KEY:
                    keys.add(time_ms, at + place)
            parts.append(data)
            stamps.append((place, time_ms))
            place += len(data)
        run = bytearray().join(parts)
        for start, time_ms in stamps:
            # FLV v10.1, E.4.1: 24 bits, then the 8 above them.
            run[start + 4 : start + 8] = ((time_ms & 0xFFFFFF) << 8 | time_ms >> 24).to_bytes(4, "big")
        self._parts.append(bytes(run))
        self.size += place

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data

    def finish(self, read: Callable[[int, int], bytes]) -> Iterator[Patch]:
        def head(metadata: Mapping[str, Value]) -> bytes:
            return file_head(
                metadata,
                audio=self.audio,
                video=self.video,
                duration_ms=self.duration_ms,
                size=self.size,
                keys=self._keys,
                room=self._room,
            )

        try:
            yield 0, head(self.metadata)
        except ValueError:
            # It grew beyond the room: that of the begin fits.
            yield 0, head(self._first)
