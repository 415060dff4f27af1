"""Moments of the past that a request names, and the wish to play from one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fastflv import limits
from fastflv.errors import UsageError

SECONDS: Final = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,6})?")
UNIX_SECONDS_MIN: Final = 1_000_000_000
"A number from this on is a time, seconds since 1970: in 2001."
EXPECTED: Final = (
    "write seconds before now, as -45, or a time, as 2026-01-31T12:00:00Z or in seconds since 1970"
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of a stream: so long before the newest picture, or at a time of the clock."""

    text: str
    "As it was written."

    ago_ms: int = 0
    "Milliseconds before the newest picture."

    wall_ms: int = 0
    "Unix time, ms; 0: `ago_ms` counts."


def parse_moment(name: str, text: str) -> Moment:
    """Read the moment *text* of the parameter *name*. Raises UsageError where it is none."""
    if SECONDS.fullmatch(text):
        seconds = float(text)
        if seconds >= UNIX_SECONDS_MIN:
            return Moment(text, wall_ms=round(seconds * 1000))
        if seconds <= 0:
            return Moment(text, ago_ms=round(-seconds * 1000))
        raise UsageError(f"{name}={text}: {EXPECTED}")
    try:
        # A plus sign of the query is a blank by now.
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return Moment(
            text, wall_ms=round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
        )
    except (ValueError, OverflowError):
        raise UsageError(f"{name}={text}: {EXPECTED}") from None


@dataclass(frozen=True, slots=True)
class RewindWish:
    """What a player asks of the past."""

    start: Moment
    chase: float = 1.0
    "How many seconds of the stream are played in one, until it is live."

    @property
    def moments(self) -> tuple[Moment, ...]:
        return (self.start,)

    @property
    def text(self) -> str:
        """The parameters as they were written."""
        return f"from={self.start.text}"


@dataclass(frozen=True, slots=True)
class ClipWish:
    """What part of the past a request wants as a file."""

    start: Moment
    end: Moment

    @property
    def moments(self) -> tuple[Moment, ...]:
        return (self.start, self.end)

    @property
    def text(self) -> str:
        """The parameters as they were written."""
        return f"from={self.start.text}&to={self.end.text}"


@dataclass(frozen=True, slots=True)
class WindowWish:
    """How far back a playlist reaches."""

    seconds: float
    text: str
    "The parameter as it was written."


def window_of(args: Mapping[str, str]) -> WindowWish | None:
    """What the query *args* ask with `window`, seconds; None without it. Raises UsageError for what cannot be."""
    text = args.get("window", "")
    if not text:
        return None
    if not SECONDS.fullmatch(text) or float(text) <= 0:
        raise UsageError(f"window={text}: write how many seconds of the past the playlist has")
    return WindowWish(float(text), f"window={text}")


def rewind_of(args: Mapping[str, str]) -> RewindWish | None:
    """What the query *args* ask with `from` and `chase`; None without `from`. Raises UsageError for what cannot be.

    A word that begins with a letter is no moment: pages name what led to them by `from` too.
    """
    text = args.get("from", "")
    if not text or text[0].isalpha():
        return None
    word = args.get("chase") or "1"
    if not SECONDS.fullmatch(word) or not 1 <= float(word) <= limits.CHASE_RATE_MAX:
        raise UsageError(f"chase={word}: write a number from 1 to {limits.CHASE_RATE_MAX}")
    return RewindWish(parse_moment("from", text), float(word))


def clip_of(args: Mapping[str, str]) -> ClipWish:
    """What the query *args* ask with `from` and `to`, which is now where it is absent. Raises UsageError."""
    return ClipWish(parse_moment("from", args.get("from", "")), parse_moment("to", args.get("to") or "-0"))


def wall_text(wall_ms: int) -> str:
    """Return a Unix time as people and `from` write it."""
    return datetime.fromtimestamp(wall_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
