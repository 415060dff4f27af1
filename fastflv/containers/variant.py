"""What a player asks of a stream: its container, and which part of the media."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

from fastflv.errors import UsageError


class HevcLabel(IntEnum):
    """How HEVC is marked in FLV and RTMP."""

    AS_IS = 0
    LEGACY = 1
    "Codec id 12."
    ENHANCED = 2
    "FourCC `hvc1`."

    # Variants are keys of dictionaries: the hash of `Enum` is a Python function.
    __hash__ = int.__hash__


@dataclass(frozen=True, slots=True)
class Variant:
    """Players with equal variants read the same log."""

    container: str = "flv"
    "`flv`, `ts`, `aac`, `mp3` or `rtmp`."

    audio: bool = True
    "With the audio tracks."

    video: bool = True
    "With the video tracks."

    keys_only: bool = False
    "Of video the keyframes."

    hevc: HevcLabel = HevcLabel.AS_IS
    "Label of HEVC; of meaning for `flv` and `rtmp`."

    keep_ms: int = 0
    "History kept for the start of players even while nobody reads, ms (`fast_cache`)."

    chunk_size: int = 0
    "For `rtmp`: bytes."

    stream_id: int = 0
    "For `rtmp`: message stream."

    publishes: bool = False
    "For `rtmp`: it is read by servers that the stream is forwarded to, not by players."

    apart: bool = False
    "A log of its own for a reader that begins before the shared one does."

    @property
    def tags(self) -> Variant:
        """The FLV variant that this one is made of."""
        return Variant(audio=self.audio, video=self.video, keys_only=self.keys_only, hevc=self.hevc)

    @property
    def is_choice(self) -> bool:
        """Whether a player asked for it in particular: part of the tracks, another label, its own message stream."""
        return self.tags != PLAIN or self.stream_id > 1

    def asked(self, args: Mapping[str, str]) -> Variant:
        """Return this with what the query *args* `only` and `hevc` ask. Raises UsageError for a word it does not know."""
        variant = self
        only = args.get("only")
        if only == "audio":
            variant = replace(variant, video=False)
        elif only == "video":
            variant = replace(variant, audio=False)
        elif only == "key":
            variant = replace(variant, audio=False, keys_only=True)
        elif only:
            raise UsageError(f"only={only}: ask for only=audio, only=video or only=key")
        label = args.get("hevc")
        if label:
            names = {"legacy": HevcLabel.LEGACY, "enhanced": HevcLabel.ENHANCED}
            if label not in names:
                raise UsageError(f"hevc={label}: ask for hevc=legacy or hevc=enhanced")
            # TS has one label for HEVC: the words change nothing there, so that logs are shared.
            if variant.container in ("flv", "rtmp"):
                variant = replace(variant, hevc=names[label])
        return variant


PLAIN = Variant()
