"""What a video decoder configuration says, whatever the codec."""

from __future__ import annotations

from dataclasses import dataclass

from fastflv.errors import CodecConfigError


@dataclass(frozen=True, slots=True)
class VideoConfig:
    """One video track, as its sequence header describes it."""

    codec: str
    "Name as SRS prints it: `H264`, `HEVC`, `AV1`, `VP9`, ..."

    profile: str
    "Profile as SRS prints it, for example `High`; empty when unknown."

    level: str
    "Level as SRS prints it, for example `3.1`; empty when unknown."

    width: int = 0
    "Pixels shown, cropping applied; 0 when the record does not say."

    height: int = 0
    "As width."

    fps: float = 0.0
    "Frames per second that the headers promise; 0 when they promise none."

    length_size: int = 0
    "Bytes of the length in front of each NAL unit, 1 to 4; 0 for codecs without NAL units."

    parameter_sets: tuple[bytes, ...] = ()
    "NAL units to send before a keyframe, in order: (VPS,) SPS, PPS. No lengths, no start codes."


@dataclass(frozen=True, slots=True)
class Picture:
    """What a sequence parameter set says."""

    width: int
    "Pixels, cropping applied."

    height: int
    "As width."

    fps: float
    "0 when not said."


def cropped(width: int, height: int, left: int, right: int, top: int, bottom: int, fps: float) -> Picture:
    """A picture without its borders, all in pixels. Raises CodecConfigError when nothing is left of it."""
    width -= left + right
    height -= top + bottom
    if not (0 < width <= 65536 and 0 < height <= 65536):
        raise CodecConfigError(f"a picture of {width}x{height}")
    return Picture(width, height, fps)


def rate(units: int, scale: int) -> float:
    """*scale* / *units* as frames per second; 0 for values that no camera has."""
    return scale / units if units and 0.01 <= scale / units <= 1000 else 0.0
