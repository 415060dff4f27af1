"""Finished segments that wait for a store: what a slow disk may cost in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import takewhile

from fastflv import limits
from fastflv.containers.segmenter import Segment

Item = tuple[Segment, int]
"A segment, with the target duration of its presentation."


class Backlogs:
    """What the backlogs of a server hold together."""

    def __init__(self) -> None:
        self.bytes = 0


class Backlog:
    """The segments of one stream that wait, and ends of its playlist among them."""

    def __init__(self, shared: Backlogs) -> None:
        self._shared = shared
        self._items: deque[Item | None] = deque()
        "None: the playlist ends."
        self._bytes = 0

    def __len__(self) -> int:
        """Segments and ends that wait."""
        return len(self._items)

    @property
    def segments(self) -> int:
        return sum(item is not None for item in self._items)

    @property
    def is_behind(self) -> bool:
        """So much waits that no segment should be put for now."""
        return self._exceeds(1)

    @property
    def is_full(self) -> bool:
        """So much waits that not even the last segments of a publish should be put, which no log holds any longer."""
        return self._exceeds(2)

    @property
    def has_end(self) -> bool:
        """The playlist ends, and another one may follow."""
        return None in self._items

    def durations(self) -> Iterator[int]:
        """Durations of the segments before the first end, ms."""
        return (item[0].duration_ms for item in takewhile(bool, self._items) if item is not None)

    def put(self, segments: Iterable[Segment], target: int) -> None:
        for segment in segments:
            self._items.append((segment, target))
            self._add(len(segment.body))

    def put_end(self) -> None:
        self._items.append(None)

    def take(self) -> Item | None:
        """Return the oldest, which waits no more; None is an end."""
        item = self._items.popleft()
        if item is not None:
            self._add(-len(item[0].body))
        return item

    def drop(self, *, ends: bool) -> None:
        """Forget all segments; with *ends* the ends too."""
        self._items = deque() if ends else deque(item for item in self._items if item is None)
        self._add(-self._bytes)

    def _exceeds(self, times: int) -> bool:
        """Whether this holds so many times as much as it may, and all together do."""
        return (
            self._bytes > times * limits.HLS_WAITING_BYTES
            and self._shared.bytes > times * limits.HLS_SERVER_WAITING_BYTES
        )

    def _add(self, size: int) -> None:
        self._bytes += size
        self._shared.bytes += size
