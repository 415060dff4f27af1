"""Mounts by regular expression: slow for some paths, and plain to read."""

from __future__ import annotations

import re

VARIABLES = {"[app]": "(?P<app>[^/]+(?:/[^/]+)*?)", "[stream]": "(?P<stream>[^/]+)", "[seq]": "[0-9]+"}
ENDINGS = ("flv", "ts", "aac", "mp3", "m3u8", "m4s")


def expression(pattern: str) -> str:
    """The regular expression of a pattern without vhost, query and optional ending."""
    return "".join(
        VARIABLES.get(piece, re.escape(piece)) for piece in re.split(r"(\[(?:app|stream|seq)\])", pattern)
    )


def match(pattern: str, path: str) -> tuple[str, str] | None:
    """App and stream that *path* names by *pattern*, which begins with a slash; None when it names none."""
    pattern = pattern.partition("?")[0]
    bare, optional, ending = pattern.removesuffix("]").rpartition("[.")
    if not optional or not pattern.endswith("]"):
        bare, ending = pattern.rsplit(".", 1)
    found = re.fullmatch(expression(f"{bare}.{ending}"), path)
    if found is None and pattern.endswith("]") and not re.search(rf"\.({'|'.join(ENDINGS)})\Z", path):
        found = re.fullmatch(expression(bare), path)
    if found is None:
        return None
    names = found.groupdict()
    return names.get("app", "live"), names.get("stream", "livestream")
