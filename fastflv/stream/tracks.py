"""The kinds of tracks that a stream has, and the memory of what streams of a name had last time."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from fastflv import limits
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.syntax.flvtag import payload
from fastflv.containers.carriage import SYNC_BYTES, Track
from fastflv.media.codecs import AUDIO, VIDEO
from fastflv.stream.name import StreamName


class Tracks(NamedTuple):
    """Kinds of tracks: there, promised or announced."""

    audio: bool
    video: bool

    def __or__(self, other: Tracks) -> Tracks:
        return Tracks(self.audio or other.audio, self.video or other.video)

    def holds(self, other: Tracks) -> bool:
        """Whether all of *other* is here."""
        return self.audio >= other.audio and self.video >= other.video


def track_of(writer: StreamWriter, kind: int) -> Track:
    """Return the default track of *kind* (8, 9), with the codec of its newest frame, and its decoder configuration."""
    codec = writer.video_codec if kind == VIDEO else writer.audio_codec
    header = writer.config(kind)
    found = payload(kind, header) if header else None
    frame = payload(kind, writer.audio_head) if kind == AUDIO else None
    return Track(kind, codec, found[4] if found else b"", frame[4][:SYNC_BYTES] if frame else b"")


NONE, BOTH = Tracks(False, False), Tracks(True, True)


class TrackMemory:
    """What the newest TRACKS_REMEMBERED streams that were published had, by name."""

    def __init__(self) -> None:
        self._kept: OrderedDict[StreamName, Tracks] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, name: StreamName, tracks: Tracks) -> None:
        self._kept[name] = tracks
        self._kept.move_to_end(name)
        if len(self._kept) > limits.TRACKS_REMEMBERED:
            self._kept.popitem(last=False)

    def recall(self, name: StreamName) -> Tracks:
        """Return what it had, no track when that is not known."""
        return self._kept.get(name, NONE)
