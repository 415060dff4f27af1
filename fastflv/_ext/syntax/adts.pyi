def adts(frame: bytes, object_type: int, rate_index: int, channel_config: int, program: bytes = b"") -> bytes:
    """Return a raw frame in ADTS. Raises ValueError for values without a code in ADTS."""
