"""Which container can carry which codec. Codecs are named as `media.codecs` names them."""

from __future__ import annotations

from typing import Final

ANY: Final = frozenset({"*"})
"FLV and RTMP carry whatever was published."

CARRIED: Final = {
    "flv": ANY,
    "rtmp": ANY,
    "ts": frozenset({"H264", "HEVC", "AAC", "MP3", "AC3", "EAC3", "Opus"}),
    "aac": frozenset({"AAC"}),
    "mp3": frozenset({"MP3"}),
    "hls-ts": frozenset({"H264", "HEVC", "AAC", "MP3", "AC3", "EAC3"}),
    "hls-fmp4": frozenset({"H264", "HEVC", "AV1", "VP9", "AAC", "MP3", "AC3", "EAC3", "Opus", "FLAC"}),
}
"""By container. AV1 in TS has a specification, but no player that is common reads it. Opus in TS is read by
FFmpeg, VLC and GStreamer, but by no HLS player."""

NAMES: Final = {"hls-ts": "HLS with .ts segments", "hls-fmp4": "HLS with .m4s segments", "rtmp": "RTMP"}
"How a sentence calls a container; others by their extension."


def carries(container: str, codec_name: str) -> bool:
    """Say whether *container* (a key of CARRIED) carries a codec. An empty name, a codec nobody knows, only passes
    where anything does."""
    carried = CARRIED[container]
    return carried is ANY or codec_name in carried


def refusal(url: str, container: str, *, video: str = "", audio: str = "") -> str:
    """Return why *container* cannot carry a stream, in one sentence; empty when it can.

    *video* and *audio* are names of codecs, empty where there is no such track. A container of audio alone
    (`aac`, `mp3`) leaves video out.
    """
    tracks = [(video, "video")] if container not in ("aac", "mp3") else []
    tracks.append((audio, "audio"))
    wrong = [f"{codec} {kind}" for codec, kind in tracks if codec and not carries(container, codec)]
    name = NAMES.get(container, f".{container}")
    if wrong:
        # TS alone has a query that leaves a track out.
        rest = next((kind for codec, kind in tracks if codec and carries(container, codec)), "")
        other = f" or .ts?only={rest}" if container == "ts" and rest else ""
        return f"`{url}` has {' and '.join(wrong)}, which {name} cannot carry; play .flv{other}"
    if container in ("aac", "mp3") and not audio:
        return f"`{url}` has no audio, which {name} needs; play .flv"
    return ""
