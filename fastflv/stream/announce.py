"""What onMetaData tells players of a stream's tracks: what is there, whatever the publisher says.

Players that were promised a track wait for it, and leave out one that they were not told of. `hasAudio` and
`hasVideo` are what flv.js and mpegts.js look at first.

Spec: Adobe FLV v10.1, E.5; Enhanced RTMP v2, "Metadata Frame" (codec ids may be FourCCs).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fastflv import __version__
from fastflv.containers.flv.metadata import AUDIO_FIELDS, VIDEO_FIELDS
from fastflv.media import codecs
from fastflv.media.amf.values import EcmaArray, Value
from fastflv.stream.tracks import Tracks

NOT_LIVE = ("duration", "filesize", "keyframes")
"Of a file; a live stream has no end."


class Seen(NamedTuple):
    """A track that is there, with the codec of its newest tag: FLV codec id or FourCC number."""

    codec: int


class Kind(NamedTuple):
    """How metadata speaks of one kind of track."""

    flag: str
    codec: str
    fields: tuple[str, ...]
    tag: int


AUDIO = Kind("hasAudio", "audiocodecid", AUDIO_FIELDS, codecs.AUDIO)
VIDEO = Kind("hasVideo", "videocodecid", VIDEO_FIELDS, codecs.VIDEO)


def live_fields(published: Mapping[str, Value]) -> dict[str, Value]:
    """Return what of *published* may stand in the metadata of a live stream."""
    return {key: value for key, value in published.items() if key not in NOT_LIVE}


def promised(published: Mapping[str, Value]) -> Tracks:
    """Return which tracks metadata names."""
    return Tracks(_names(published, AUDIO), _names(published, VIDEO))


def picture_size(published: Mapping[str, Value]) -> tuple[int, int]:
    """Return width and height that metadata names, pixels; 0 where it does not."""
    width, height = (
        int(value) if isinstance(value, float) and 0 < value < 65536 else 0
        for value in (published.get("width"), published.get("height"))
    )
    return width, height


def announce(
    published: Mapping[str, Value], audio: Seen | None, video: Seen | None, *, settled: bool
) -> EcmaArray:
    """Return the metadata that players are sent: that of the publisher, true to its tracks.

    Before the tracks are *settled* the publisher is believed; what it does not speak of is left open.
    """
    told = EcmaArray(live_fields(published))
    for kind, seen in ((AUDIO, audio), (VIDEO, video)):
        if seen is not None:
            told[kind.flag] = True
            if not _is_codec(told.get(kind.codec), seen.codec, kind):
                told[kind.codec] = float(seen.codec)
        elif settled:
            told[kind.flag] = False
            for key in kind.fields:
                told.pop(key, None)
        elif _names(published, kind):
            told[kind.flag] = True
    told["server"] = f"fastflv/{__version__}"
    return told


def _names(published: Mapping[str, Value], kind: Kind) -> bool:
    flag = published.get(kind.flag)
    return flag if isinstance(flag, bool) else bool(published.get(kind.codec))


def _is_codec(said: Value, codec: int, kind: Kind) -> bool:
    """Whether metadata names the codec, by either of its numbers or by its FourCC as text."""
    number = -1
    if isinstance(said, str) and len(said) == 4 and said.isascii():
        number = int.from_bytes(said.encode(), "big")
    elif isinstance(said, float) and said.is_integer() and 0 <= said < 1 << 32:
        number = int(said)
    return number == codec or (
        number > 15
        and bool(name := codecs.codec_name(kind.tag, number))
        and name == codecs.codec_name(kind.tag, codec)
    )
