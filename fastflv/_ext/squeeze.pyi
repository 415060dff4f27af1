from fastflv._ext.medialog import MediaLog

def squeeze(log: MediaLog, *, span_ms: int, audio_before: int = ..., still: bool = False) -> bytes | None:
    """Return the headers and the newest GOP of a log of FLV tags, for a player that goes on at its head.

    With *still* only the keyframe of it, at the newest time. The GOP takes *span_ms* before the newest picture, or a millisecond a picture where that is longer. None when there
    is no keyframe, or when a body holds several tracks.
    """
