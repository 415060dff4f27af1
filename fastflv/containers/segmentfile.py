"""One segment of fragmented MP4 as a file, or the initialisation section of such segments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from fastflv._ext.syntax.flvtag import make_tag
from fastflv.containers.filewriter import Entry, Patch
from fastflv.containers.packer import Mp4Packer
from fastflv.media.codecs import VIDEO
from fastflv.media.tagflags import OTHER


class SegmentFileWriter:
    """Makes one fragment whose times are those of the stream, so that segments join without a gap.

    *headers*: kinds and bodies of the sequence headers before its first tag. *end_ms*: stream time at which it ends. *kinds*: of the
    tracks to take (8, 9). *size*: pixels, for codecs whose record has no size. *init*: write the initialisation section instead.
    """

    def __init__(
        self,
        headers: Iterable[tuple[int, bytes]],
        end_ms: int,
        kinds: Iterable[int],
        size: tuple[int, int],
        *,
        init: bool,
    ) -> None:
        self._kinds = frozenset(kinds)
        self._end_ms = end_ms
        self._is_init = init
        self._packer = Mp4Packer(size)
        self._packer.take_headers(
            b"".join(make_tag(kind, 0, body) for kind, body in headers if kind in self._kinds)
        )
        # A track whose first frame comes in a later segment stands in the initialisation section too.
        self._packer.describe()
        self._body = b""

    def add(self, entries: Iterable[Entry]) -> None:
        packer = self._packer
        for kind, flags, dts_ms, data in entries:
            if kind not in self._kinds:
                continue
            frame = packer.read(kind, flags, dts_ms, data)
            # Behind another configuration the track goes on with the next segment.
            if frame is not None and not flags & OTHER and kind not in packer.changed:
                packer.add(kind, flags, dts_ms, frame)
                self._end_ms = max(self._end_ms, dts_ms + 1) if kind == VIDEO else self._end_ms

    def take(self) -> bytes:
        body, self._body = self._body, b""
        return body

    def finish(self, read: Callable[[int, int], bytes]) -> Iterator[Patch]:
        """End the fragment, which is left for `take`: its head lists every sample."""
        body, init = self._packer.finish(self._end_ms)
        self._body = init if self._is_init else body
        return iter(())
