from typing_extensions import Buffer

def crc32(data: Buffer) -> int:
    """Return the CRC-32/MPEG-2 of *data*; 0 for a section with its own CRC behind it."""
