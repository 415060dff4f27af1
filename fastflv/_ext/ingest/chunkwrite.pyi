from typing_extensions import Buffer

def write_message(
    kind: int, timestamp: int, stream_id: int, chunk_stream: int, payload: Buffer, chunk_size: int
) -> bytes:
    """Return *payload* as the chunks of one message."""
