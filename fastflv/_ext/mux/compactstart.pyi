from fastflv._ext.log.block import MediaBlock
from fastflv._ext.log.medialog import MediaLog

def squeeze(
    log: MediaLog, *, span_ms: int, audio_before: int = ..., still: bool = False, prefix: bytes = b""
) -> MediaBlock | None:
    """Return *prefix*, the headers and the newest GOP of a log of FLV tags, for a player that goes on at its head.

    The GOP takes *span_ms* before the newest picture, or a millisecond a picture where that is longer. With *still*
    there is only its keyframe, at the newest time. None when there is no keyframe, or when a body holds several tracks.
    """
