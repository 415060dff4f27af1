"""FLV and MP4 files by the writers of recordings: with an index, seekable, and whole when they have their name."""

from __future__ import annotations

import os
from typing import BinaryIO

from fastflv.containers.filecutter import FileCutter, FilePart
from fastflv.containers.filewriter import FileWriter
from fastflv.containers.partwriter import part_writer
from fastflv.tools.output import PART, Output
from fastflv.tools.remuxer import Entry, Remuxer


class FileOutput(Output):
    """A file, and `NAME-1.mp4` and so on for what follows a change of codecs that it cannot hold."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._mp4 = path.lower().endswith(".mp4")
        self._cutter = FileCutter(strict=self._mp4)
        self._file: BinaryIO | None = None
        self._writer: FileWriter | None = None
        self._count = 0
        "Files that were begun."
        self._names: list[str] = []
        "Of those that are whole."

    def choose(self, remuxer: Remuxer) -> str:
        if self._mp4:
            self._check("mp4")
        return "flv"

    def write(self, entries: list[Entry]) -> None:
        self._take(entries, last=False)

    def close(self) -> None:
        self._take([], last=True)

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()
            os.unlink(self._file.name)
        for name in self._names:
            os.unlink(name)

    def _take(self, entries: list[Entry], *, last: bool) -> None:
        for part in self._cutter.take(entries, video=self.remuxer.writer.has_video, last=last):
            if part.begins:
                self._begin(part)
            file, writer = self._file, self._writer
            assert file is not None and writer is not None
            writer.add(part.entries)
            file.write(writer.take())
            if part.ends:
                writer.metadata = self._cutter.metadata
                self._finish(file, writer)

    def _begin(self, part: FilePart) -> None:
        self._writer = part_writer(part, mp4=self._mp4)
        stem, ending = os.path.splitext(self.path)
        name = self.path
        # The first name was looked at before; another one must not be taken from anybody.
        while self._count and os.path.lexists(name := f"{stem}-{self._count}{ending}"):
            self._count += 1
        self._count += 1
        self._file = open(name + PART, "w+b")  # noqa: SIM115

    def _finish(self, file: BinaryIO, writer: FileWriter) -> None:
        """Complete the file by the patches of its writer, and give it its name."""

        def read(offset: int, size: int) -> bytes:
            file.flush()
            return os.pread(file.fileno(), size, offset)

        for offset, data in writer.finish(read):
            file.seek(offset)
            file.write(data)
        file.close()
        self._file = None
        name = file.name.removesuffix(PART)
        os.replace(file.name, name)
        self._names.append(name)
        self.size += os.path.getsize(name)
