"""What can be carried in which container: by the codec, and by what its decoder configuration says."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from fastflv.containers.mp4entry import audio_track, video_track
from fastflv.containers.mpegts import ADTS_SAMPLES, describe
from fastflv.errors import CodecConfigError
from fastflv.media.audioconfig import parse_asc
from fastflv.media.codecs import AUDIO, VIDEO, codec_name

ANY: Final = frozenset({"*"})
"FLV and RTMP carry whatever was published."

MP4: Final = frozenset({"H264", "HEVC", "AV1", "VP9", "AAC", "MP3", "AC3", "EAC3", "Opus", "FLAC"})

CARRIED: Final = {
    "flv": ANY,
    "rtmp": ANY,
    "ts": frozenset({"H264", "HEVC", "AAC", "MP3", "AC3", "EAC3", "Opus"}),
    "aac": frozenset({"AAC"}),
    "mp3": frozenset({"MP3"}),
    "hls-ts": frozenset({"H264", "HEVC", "AAC", "MP3", "AC3", "EAC3"}),
    "mp4": MP4,
    "hls-fmp4": MP4,
}
"""By container. AV1 in TS has a specification, but no player that is common reads it. Opus in TS is read by
FFmpeg, VLC and GStreamer, but by no HLS player."""

DESCRIBED: Final = frozenset({"H264", "HEVC", "VP9", "AAC", "FLAC"})
"Codecs that cannot be carried by other containers than FLV without a decoder configuration."

SYNC_BYTES: Final = 2
SYNCS: Final = {"MP3": (0xFFE0, 0xFFE0), "AC3": (0xFFFF, 0x0B77), "EAC3": (0xFFFF, 0x0B77)}
"""Codecs whose frames describe themselves: mask and value of what each begins with (ISO 11172-3, 2.4.1.3; ETSI TS 102 366,
5.3.1)."""

NAMES: Final = {"hls-ts": "HLS with .ts segments", "hls-fmp4": "HLS with .m4s segments", "rtmp": "RTMP"}
"How a sentence calls a container; others by their extension."


class Track(NamedTuple):
    """A track as its publisher sends it."""

    kind: int
    "8 audio, 9 video."

    codec: int
    "FourCC as a number, or the FLV id."

    record: bytes = b""
    "Decoder configuration; empty without one."

    frame: bytes = b""
    "The first SYNC_BYTES of an audio frame; empty where none is known."

    @property
    def name(self) -> str:
        """Name of the codec; empty for one that nobody knows."""
        return codec_name(self.kind, self.codec)


def carries_codec(container: str, name: str) -> bool:
    """Say whether *container* (a key of CARRIED) carries the codec called *name*, with a usual decoder configuration."""
    return CARRIED[container] is ANY or name in CARRIED[container]


def carries_all(container: str) -> bool:
    """Say whether *container* (a key of CARRIED) carries whatever is published."""
    return CARRIED[container] is ANY


def carries(container: str, track: Track) -> bool:
    """Say whether *container* (a key of CARRIED) carries a track. A codec nobody knows only passes where anything does."""
    if CARRIED[container] is ANY:
        return True
    return _fits(container, track if track.name in SYNCS else track._replace(frame=b""))


@lru_cache(maxsize=1024)
def _fits(container: str, track: Track) -> bool:
    if track.name not in CARRIED[container] or (track.name in DESCRIBED and not track.record):
        return False
    if not _is_synced(track):
        return False
    if container in ("mp4", "hls-fmp4"):
        return _in_mp4(track)
    return describe(track.kind, track.codec, track.record) is not None


def needs_mp4(tracks: Iterable[Track]) -> bool:
    """Say whether HLS of *tracks* takes fragmented MP4, because one does not fit into TS.

    TS carries HEVC, but players require MP4 (HLS authoring specification, 1.5).
    """
    return not all(track.name != "HEVC" and carries("hls-ts", track) for track in tracks)


def _is_synced(track: Track) -> bool:
    """Whether the frame begins as its codec says; also where none is known."""
    mask, value = SYNCS.get(track.name, (0, 0))
    return not track.frame or int.from_bytes(track.frame, "big") & mask == value


def _in_mp4(track: Track) -> bool:
    try:
        (video_track if track.kind == VIDEO else audio_track)(track.name, track.record)
    except CodecConfigError:
        return False
    return True


def refusal(url: str, container: str, tracks: list[Track]) -> str:
    """Return why *container* cannot carry a stream of *tracks*, in one sentence; empty when it can.

    A container of audio alone (`aac`, `mp3`) leaves video out.
    """
    if container in ("aac", "mp3"):
        tracks = [track for track in tracks if track.kind == AUDIO]
        if not tracks:
            return f"`{url}` has no audio, which .{container} needs; play .flv"
    wrong = [called(container, track) for track in tracks if not carries(container, track)]
    if not wrong:
        return ""
    # TS alone has a query that leaves a track out.
    rest = next((track for track in tracks if carries(container, track)), None)
    other = f" or .ts?only={'video' if rest.kind == VIDEO else 'audio'}" if container == "ts" and rest else ""
    name = NAMES.get(container, f".{container}")
    return f"`{url}` has {' and '.join(wrong)}, which {name} cannot carry; play .flv{other}"


def called(container: str, track: Track) -> str:
    """Return how a sentence calls a track that *container* cannot carry: its codec, and what is special of it."""
    kind = "video" if track.kind == VIDEO else "audio"
    name = track.name or "unknown"
    if track.name not in CARRIED[container]:
        return f"{name} {kind}"
    if not _is_synced(track):
        return f"{name} {kind} whose frames do not begin as {name}"
    if not track.record:
        return f"{name} {kind} without a sequence header"
    special = _special_aac(track.record) if name == "AAC" else ""
    return f"{name} {kind} {special or 'with a sequence header that does not fit'}"


def _special_aac(record: bytes) -> str:
    """What ADTS has no way to say of a track; empty where it can be said, or where the record is broken."""
    try:
        config = parse_asc(record)
    except CodecConfigError:
        return ""
    if config.object_type > 4:
        return f"of profile {config.profile}"
    if config.samples != ADTS_SAMPLES:
        return f"of {config.samples} samples a frame"
    if config.channel_config == 0 and not config.program:
        return "without a channel layout"
    return ""
