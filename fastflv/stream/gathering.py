"""How much media gathers in the sockets of publishers before it is read: chosen anew every LOW_WATER_SECONDS."""

from __future__ import annotations

from collections import OrderedDict

from fastflv import limits
from fastflv._ext.ingest.lowwater import LowWater
from fastflv.net.deadline import Handle, Timers
from fastflv.stream.stream import Stream


class Gathering:
    """The low-water mark of one publisher's socket, which carries this stream alone."""

    __slots__ = ("_low_water", "_stream")

    def __init__(self, stream: Stream, low_water: LowWater) -> None:
        self._stream = stream
        self._low_water = low_water
        stream.wake = low_water.wake

    def look(self) -> None:
        """Choose the mark: a stream without players wakes its reader less often.

        Where another publisher stands by, silence must be noticed at once.
        """
        stream, writer = self._stream, self._stream.writer
        picture = writer.take_least_picture()
        if not stream.settled or stream.standby_id:
            self._low_water.wake()
        elif stream.outlets.is_watched:
            self._low_water.look_watched(writer.bytes, writer.sound_bytes, picture)
        else:
            self._low_water.look(writer.bytes, not stream.outlets.unhurried)

    def end_read(self, *, inside: bool) -> None:
        """A read is done; *inside*: it ended within a message."""
        self._low_water.end_read(inside)

    def wake(self) -> None:
        """Have the socket read at once until the next look."""
        self._low_water.wake()

    def forget(self) -> None:
        """The publish is over."""
        self._stream.wake = None


class Gatherings:
    """Looks at all of them by one timer, those whose time comes within LOOK_STEP_SECONDS together."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._due: OrderedDict[Gathering, float] = OrderedDict()
        "When each is looked at next, clock of the loop, seconds; the first comes first, since all have the same period."
        self._timer: Handle | None = None

    def add(self, gathering: Gathering) -> None:
        """Look at *gathering* at once, and every LOW_WATER_SECONDS until `remove`."""
        gathering.look()
        self._due[gathering] = self._timers.time() + limits.LOW_WATER_SECONDS
        if self._timer is None:
            self._timer = self._timers.call_later(limits.LOW_WATER_SECONDS, self._look)

    def remove(self, gathering: Gathering) -> None:
        """Look at it no more."""
        self._due.pop(gathering, None)
        if not self._due and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        now = self._timers.time()
        self._timer = None
        while self._due:
            gathering, at = next(iter(self._due.items()))
            if at > now + limits.LOOK_STEP_SECONDS:
                self._timer = self._timers.call_later(at - now, self._look)
                break
            self._due[gathering] = now + limits.LOW_WATER_SECONDS
            self._due.move_to_end(gathering)
            gathering.look()
