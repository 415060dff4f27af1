"""Ids of connections and clients: what SRS calls a context id."""

from __future__ import annotations

import os
import string
from typing import Final

ALPHABET: Final = (string.ascii_lowercase + string.digits).encode()
_FAIR: Final = 256 - 256 % len(ALPHABET)
"Bytes below it stand for each letter equally often."
_LETTERS: Final = bytes(ALPHABET[byte % len(ALPHABET)] for byte in range(256))
_REST: Final = bytes(range(_FAIR, 256))


def new_id(length: int = 8) -> str:
    """Return random letters and digits."""
    letters = b""
    while len(letters) < length:
        # A byte of 64 stands for no letter, so 8 more are nearly always enough: one call of the kernel.
        letters += os.urandom(length + 8).translate(_LETTERS, _REST)
    return letters[:length].decode()
