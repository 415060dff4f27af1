from fastflv._ext.log.block import MediaBlock
from fastflv._ext.log.medialog import MediaLog

def compact_start(
    log: MediaLog, *, span_ms: int, audio_before: int = ..., still: bool = False, prefix: bytes = b""
) -> MediaBlock | None:
    """Return *prefix*, the headers and the newest GOP of a log of FLV tags, for a player that goes on at its head.

    The GOP takes *span_ms* before the newest picture, or 1 ms for each picture where that is longer. With *still* the
    block holds only the keyframe, at the newest time. None without a keyframe, or when a body holds several tracks.
    """
