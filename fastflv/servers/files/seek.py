"""Which part of a media file a query asks for, in the words of SRS, nginx and their players."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from fastflv.containers.cut import Place

BYTES: Final = re.compile(r"[0-9]{1,18}")
SECONDS: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})s?")

ENDINGS: Final = {"flv": "flv", "fhv": "flv", "mp4": "mp4", "m4v": "mp4", "m4a": "mp4", "mov": "mp4"}
"Container by the ending of a name, of files that are sent in parts."


class Part(NamedTuple):
    """What a query asks for."""

    container: str
    "A value of ENDINGS; empty for bytes as they stand in the file."

    start: Place | None
    "None: from the begin on."

    end: Place | None
    "None: to the end."


def part_of(path: str, args: Mapping[str, str]) -> Part | None:
    """Return the part of the file at *path* that the query *args* asks for; None for all of it.

    FLV: `start` and `end` are bytes, or seconds with an `s` or a point: `12.5s`, `12.0`. MP4: they are seconds. `bstart` and `bend`, of
    flv.js, name the first and the last byte of a plain range. What is no number asks for nothing, as in SRS; so does 0.
    """
    container = ENDINGS.get(path.rpartition(".")[2].lower(), "")
    if not container or not args:
        return None
    in_bytes = container == "flv"
    start, end = _place(args.get("start", ""), in_bytes), _place(args.get("end", ""), in_bytes)
    if start is not None or end is not None:
        return Part(container, start, end)
    first, last = args.get("bstart", ""), args.get("bend", "")
    if not in_bytes or not BYTES.fullmatch(first):
        return None
    begin = Place(int(first), False)
    behind = Place(int(last) + 1, False) if BYTES.fullmatch(last) else None
    if behind is not None and behind.value <= begin.value:
        return None
    return Part("", begin, behind) if begin.value or behind else None


def _place(text: str, in_bytes: bool) -> Place | None:
    if in_bytes and BYTES.fullmatch(text):
        place = Place(int(text), False)
    else:
        found = SECONDS.fullmatch(text)
        if found is None:
            return None
        place = Place(float(found[1]), True)
    return place if place.value else None
