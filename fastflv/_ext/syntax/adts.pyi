def adts_header(object_type: int, rate_index: int, channel_config: int, frame_size: int) -> bytes:
    """Return the header of a raw frame of *frame_size* bytes. Raises ValueError for values without a code in ADTS."""
