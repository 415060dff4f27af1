"""Templates of paths by trying every split: slow, and plain to read."""

from __future__ import annotations

import re

NUMBERS = ("seq", "duration", "timestamp", "2006", "01", "02", "15", "04", "05", "999")
KINDS = {
    "app": lambda text: all(text.split("/")),
    "stream": lambda text: bool(text) and "/" not in text,
    **{name: lambda text: text.isascii() and text.isdecimal() for name in NUMBERS},
}
NAME = re.compile(rf"\[({'|'.join(KINDS)})\]")


def splits(pieces: list[str], path: str) -> list[dict[str, str]]:
    """Every way to match *path*, in the order of preference: the longest text first, leftmost variable first.

    Pieces at odd places are names. Places of one name are independent here: each has a key of its own.
    """
    if not pieces:
        return [{}] if not path else []
    text, *rest = pieces
    if not path.startswith(text):
        return []
    path = path[len(text) :]
    if not rest:
        return [{}] if not path else []
    name, *rest = rest
    return [
        {f"{name} {len(rest)}": path[:end]} | found
        for end in range(len(path), 0, -1)
        if KINDS[name](path[:end])
        for found in splits(rest, path[end:])
    ]


def match(template: str, path: str) -> dict[str, str] | None:
    """The texts of the variables of a template without a name that is written twice; None when *path* does not match."""
    found = splits(NAME.split(template), path)
    return {key.partition(" ")[0]: text for key, text in found[0].items()} if found else None


def matches(template: str, path: str) -> bool:
    """Whether *path* matches when places of one name are independent."""
    return bool(splits(NAME.split(template), path))
