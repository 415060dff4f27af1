"""Files that commands write: the ending of the name says in which container. A file gets its name when it is whole."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import BinaryIO, Final

from fastflv import limits
from fastflv.containers import carriage
from fastflv.containers.packer import Mp4Packer, TsPacker
from fastflv.containers.playlist import QUERY, Playlist, PlaylistEntry
from fastflv.containers.segmenter import Segment, Segmenter
from fastflv.errors import ToolError
from fastflv.net.peertext import printable
from fastflv.servers.hls.files import write_file
from fastflv.tools.remuxer import Entry, Remuxer

PART: Final = ".part"
"What a file has behind its name while it is written."


class Output(ABC):
    """What a command writes. The tags of a stream go in; `finish` makes the file whole, `discard` removes it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.size = 0
        "Bytes written."
        self.remuxer = Remuxer(self.choose)

    @abstractmethod
    def choose(self, remuxer: Remuxer) -> str:
        """Return the container of the log that is written. Raises ToolError where it cannot carry the codecs."""

    @abstractmethod
    def write(self, entries: list[Entry]) -> None:
        """Write entries of that log. Raises OSError."""

    @abstractmethod
    def close(self) -> None:
        """Everything was written: make the file whole. Raises OSError."""

    @abstractmethod
    def discard(self) -> None:
        """Remove what was written."""

    def finish(self) -> None:
        """Write the rest, and make the file whole. Raises ToolError, OSError."""
        self.write(self.remuxer.finish())
        self.close()

    def _check(self, container: str) -> None:
        why = carriage.refusal(printable(self.path), container, self.remuxer.tracks)
        if why:
            raise ToolError(why.replace("; play .flv", "; write .flv"))


class PlainOutput(Output):
    """The entries of a log, one behind the other: TS, AAC, MP3."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.container = path.rpartition(".")[2]
        self._file: BinaryIO | None = None

    def choose(self, remuxer: Remuxer) -> str:
        self._check(self.container)
        return self.container

    def write(self, entries: list[Entry]) -> None:
        if self._file is None:
            self._file = open(self.path + PART, "wb")  # noqa: SIM115
        data = b"".join(entry[3] for entry in entries)
        self._file.write(data)
        self.size += len(data)

    def close(self) -> None:
        assert self._file is not None
        self._file.close()
        os.replace(self.path + PART, self.path)

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()
            os.unlink(self.path + PART)


class HlsOutput(Output):
    """A playlist and its segments beside it, `NAME-0.ts` and so on: TS, or fragmented MP4 where codecs need it."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._stem = os.path.basename(path).removesuffix(".m3u8")
        self._folder = os.path.dirname(path)
        self._playlist = Playlist(1 << 60)
        self._segmenter: Segmenter | None = None
        self._written: list[str] = []
        self._init = b""
        self._map = ""
        self._mp4 = False

    def choose(self, remuxer: Remuxer) -> str:
        self._mp4 = carriage.needs_mp4(remuxer.tracks)
        self._check("hls-fmp4" if self._mp4 else "hls-ts")
        return "flv" if self._mp4 else "ts"

    def write(self, entries: list[Entry]) -> None:
        if self._segmenter is None:
            if not entries:
                return
            tables = self.remuxer.tables
            packer = Mp4Packer() if tables is None else TsPacker(tables)
            least = limits.TOOL_HLS_MS
            self._segmenter = Segmenter(packer, least, 2 * least)
        for segment in self._segmenter.take(entries, video=self.remuxer.writer.has_video):
            self._store(segment)

    def close(self) -> None:
        for segment in self._segmenter.flush() if self._segmenter is not None else ():
            self._store(segment)
        if not self._playlist.entries:
            raise ToolError("nothing is long enough for a segment")
        longest = max(entry.duration_ms for entry in self._playlist.entries)
        self._playlist.target = max(1, (longest + limits.HLS_TARGET_ROUND_MS) // 1000)
        self._playlist.ended = True
        write_file(self.path, self._playlist.text().replace(QUERY, "").encode())

    def discard(self) -> None:
        for path in self._written:
            os.unlink(path)

    def _store(self, segment: Segment) -> None:
        number = self._playlist.next
        if segment.init and segment.init != self._init:
            self._init = segment.init
            self._map = f"{self._stem}-{number}.init.mp4"
            self._put(self._map, segment.init)
        name = f"{self._stem}-{number}.{'m4s' if segment.init else 'ts'}"
        self._put(name, segment.body)
        broken = segment.discontinuity and number > 0
        map_uri = self._map if segment.init else ""
        self._playlist.append(PlaylistEntry(name, segment.duration_ms, broken, map_uri))

    def _put(self, name: str, body: bytes) -> None:
        path = os.path.join(self._folder, name)
        write_file(path, body)
        self._written.append(path)
        self.size += len(body)
