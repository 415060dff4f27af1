"""The writer of a file whose begin a `FileCutter` has found."""

from __future__ import annotations

from fastflv import limits
from fastflv.containers.filecutter import FilePart
from fastflv.containers.filewriter import FileWriter
from fastflv.containers.flv.filewriter import FlvFileWriter
from fastflv.containers.mp4file import Mp4FileWriter


def part_writer(part: FilePart, *, mp4: bool, keys: int = limits.RECORD_KEYS_MAX) -> FileWriter:
    """Return the writer of the file that *part* begins. *keys*: keyframes that the index of an FLV file has room for."""
    if mp4:
        return Mp4FileWriter(part.metadata, part.headers, part.base_ms)
    return FlvFileWriter(
        part.metadata, part.headers, part.base_ms, keys=keys, slack=limits.RECORD_METADATA_SLACK_BYTES
    )
