"""A part of a media file that plays by itself, and how files are read for it: without a disk, by whoever has one.

What reads a file is a generator. It yields offset and size of the bytes it wants, and is sent them: fewer where the file
ends, none behind its end. Its value is the result. So the disk may be a thread's, a test's or a fuzzer's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from fastflv import limits

Result = TypeVar("Result")

Reading = Generator[tuple[int, int], bytes, Result]
"Yields `(offset, size)`, is sent the bytes, returns a result."


class Place(NamedTuple):
    """Where a part begins or ends."""

    value: float
    "Bytes or seconds from the begin of the file, 0 at least."

    seconds: bool
    "*value* is a time."

    def __str__(self) -> str:
        return f"{self.value:g} s" if self.seconds else f"byte {int(self.value)}"


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of a file as it is sent."""

    before: bytes
    "What stands before the part, so that it plays: headers."

    offset: int
    "Where the part begins in the file, bytes."

    size: int
    "Bytes of the part."


class SteppedReading(Generic[Result]):
    """A reading in steps of bounded length."""

    def __init__(self, reading: Reading[Result], read: Callable[[int, int], bytes]) -> None:
        """*read*: returns the bytes at an offset, up to a size."""
        self._reading = reading
        self._read = read
        self._wanted: tuple[int, int] | None = None
        self._result: Result | None = None

    def step(self, most: int) -> bool:
        """Read about *most* bytes; return whether `result` is there. Raises what the reading and the disk raise."""
        left = most
        try:
            wanted = self._wanted if self._wanted is not None else next(self._reading)
            while left > 0:
                # A read costs something, however short it is.
                left -= wanted[1] + limits.VOD_READ_BYTES_MIN
                wanted = self._reading.send(self._read(*wanted))
            self._wanted = wanted
        except StopIteration as over:
            self._result = over.value
            return True
        return False

    @property
    def result(self) -> Result:
        """Of a reading that is over."""
        assert self._result is not None
        return self._result


def run_reading(reading: Reading[Result], read: Callable[[int, int], bytes]) -> Result:
    """Return the result of *reading*, read at once. Called by tests and fuzzers alone."""
    steps = SteppedReading(reading, read)
    while not steps.step(limits.VOD_STEP_BYTES):
        pass
    return steps.result
