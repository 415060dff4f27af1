"""Ids of connections and clients: what SRS calls a context id."""

from __future__ import annotations

import secrets
import string
from typing import Final

ALPHABET: Final = string.ascii_lowercase + string.digits


def new_id(length: int = 8) -> str:
    """Return random letters and digits."""
    # 64 bits more than needed: what the remainder prefers does not show. One call of the kernel, not one a letter.
    number = int.from_bytes(secrets.token_bytes(8 + length), "big")
    letters = []
    for _ in range(length):
        number, letter = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[letter])
    return "".join(letters)
