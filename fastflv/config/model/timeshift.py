"""`timeshift { }`: the past of streams, for players that rewind and for clips."""

from __future__ import annotations

from dataclasses import dataclass

from fastflv import limits
from fastflv.config.grammar.section import Section, bounded


@dataclass(frozen=True, slots=True)
class Timeshift:
    """`timeshift { }`: the past of streams, for players that rewind and for clips."""

    window: float = bounded(0.0, 0.0, 604_800.0)
    "How far players may go back, seconds, at most a week. Default 0, off."

    max_bytes: int = limits.TIMESHIFT_BYTES
    "Bytes of the past of one stream, at most; k, m and g stand for powers of 1024. Default 512m."

    path: str = ""
    "Directory of files without names that the past is moved to; empty: it stays in memory. Default empty."


def read_timeshift(section: Section) -> Timeshift:
    return section.fill(Timeshift, max_bytes=section.size("max_bytes", limits.TIMESHIFT_BYTES, 1))
