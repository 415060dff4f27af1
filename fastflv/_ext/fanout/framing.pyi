def frame_ends(framing: int, size: int) -> tuple[bytes, bytes]:
    """Return the bytes before and behind *size* bytes of content; both are empty where *size* is 0."""
