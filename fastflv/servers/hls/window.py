"""Playlists that reach into the past of a stream (`?window=`), by its timeshift: segments are cut when they are asked for."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from fastflv import limits
from fastflv.config.routes import WINDOW_INIT, WINDOW_SEGMENT
from fastflv.containers.playlist import Playlist, PlaylistEntry, bit_rates, date_of, expected_ms, target_of
from fastflv.media.codecs import VIDEO
from fastflv.net.deadline import Deadline
from fastflv.servers.hls.crowd import Crowd
from fastflv.servers.hls.options import HlsOptions
from fastflv.servers.hls.segmentreader import carried
from fastflv.servers.hls.windowlist import PastSegment, WindowList
from fastflv.stream.moment import WindowWish
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream


class HlsWindow:
    """The past of one stream as segments. It has no reader of the log and writes nothing: it knows where to cut."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, stream: Stream, options: HlsOptions, number: int
    ) -> None:
        """*number*: of its first segment, at least."""
        self.stream = stream
        self.options = options
        self.asked = loop.time()
        "Loop time of the newest request."
        self.waiting = Crowd(loop, f"hls window of {stream.name.url}")
        "Requests that wait for the first segment."
        self.ended = False
        "The stream has ended: so do the playlists."
        self.target = 0
        "Target duration, seconds; 0 before the first playlist."
        self.list = WindowList(number)
        self._loop = loop
        self._timer: Deadline | None = None
        self._texts: OrderedDict[tuple[int, int], str] = OrderedDict()
        "By the numbers of the first segment and of the one behind the last."
        self._behind = True
        "Places wait to be looked at."

    @property
    def name(self) -> StreamName:
        return self.stream.name

    @property
    def idle_seconds(self) -> float:
        """How long a watched playlist may go without a request."""
        return max(limits.HLS_IDLE_SECONDS, 3.0 * self.target)

    def adopt(self, options: HlsOptions) -> None:
        """Take the options in force; cuts that were made stay."""
        if options is not self.options:
            self.options = options
            self._texts.clear()

    def follow(self) -> None:
        """Look at what was published since the last call, a bounded part of it."""
        timeshift, log, options = self.stream.timeshift, self.stream.log, self.options
        steps = timeshift.steps(self.list.seen, limits.HLS_WINDOW_STEPS)
        self.list.forget(timeshift.tail)
        least, most = options.least_ms, options.most_ms
        if self.target:
            least = min(least, 1000 * self.target)
            most = min(most, 1000 * self.target + limits.HLS_TARGET_ROUND_MS)
        self.list.take(steps, least, most, timeshift.tag_before)
        self._behind = len(steps) == limits.HLS_WINDOW_STEPS
        if not self._behind:
            # The first viewer of a stream whose keyframes are rare does not wait for the second one.
            most = most if self.list.segments else min(most, limits.HLS_FIRST_MS_MAX)
            self.list.split(log.head, log.head_dts, most, timeshift.tag_before)
        if self.ended and not self._behind:
            self.list.finish(self.stream.log.head, self.stream.log.head_dts)

    def segments(self, wish: WindowWish) -> list[PastSegment]:
        """Return the segments of a playlist; empty while there is none yet."""
        self.follow()
        if self._behind or not self.list.segments:
            return []
        self._set_target()
        # Shorter ones cannot be played at the usual distance from their end (RFC 8216, 6.2.2).
        length = max(int(wish.seconds * 1000), 3000 * self.target)
        return list(self.list.last(length, self.stream.log.head_dts))

    def text(self, segments: list[PastSegment], path: str) -> str:
        """Return the playlist at *path* of *segments*, with QUERY behind its URIs; empty without any."""
        if not segments:
            return ""
        key = segments[0].number, segments[-1].number + self.ended
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = self._write(segments, path)
            if len(self._texts) > limits.HLS_WINDOW_TEXTS:
                self._texts.popitem(last=False)
        self._texts.move_to_end(key)
        return text

    def _write(self, segments: list[PastSegment], path: str) -> str:
        first = segments[0]
        playlist = Playlist(
            0, self.target, sequence=first.number, discontinuities=first.breaks - first.discontinuity
        )
        app, stream, uri = self.name.app, self.name.stream, self.options.names.uri
        maps: dict[int, str] = {}
        for segment in segments:
            if segment.run not in maps:
                init = WINDOW_INIT.fill(app=app, stream=stream, seq=segment.run)
                maps[segment.run] = uri(init[1:], path)
            media = WINDOW_SEGMENT.fill(app=app, stream=stream, seq=segment.number)
            playlist.entries.append(
                PlaylistEntry(
                    uri(media[1:], path),
                    segment.duration_ms,
                    segment.discontinuity,
                    maps[segment.run],
                    date=date_of(segment.begun_ms),
                )
            )
        playlist.ended = self.ended
        return playlist.text()

    def _set_target(self) -> None:
        """The target duration counts for the segments to come too. It grows where a single picture lasts longer."""
        longest = self.list.longest_ms
        if not self.target:
            writer, options = self.stream.writer, self.options
            gops = (writer.gop_least_ms, writer.gop_ms)
            video = VIDEO in carried(writer, options)
            soon = expected_ms(options.least_ms, options.most_ms, gops) if video else options.least_ms
            self.target = target_of(max(longest, soon))
        elif longest > 1000 * self.target + limits.HLS_TARGET_ROUND_MS:
            self.target = target_of(longest)
            self._texts.clear()

    def wait(self, woken: Callable[[], None]) -> None:
        """Look for a segment now and then, while requests wait."""
        self.waiting.add(woken)
        if self._timer is None:
            self._timer = Deadline(self._loop, self._look)
            self._timer.set(limits.HLS_PULL_SECONDS)

    def end(self) -> None:
        """The stream has ended, or the server stops."""
        self.ended = True
        self.follow()
        self.waiting.call(at_once=True)

    def _look(self) -> None:
        self._timer = None
        self.follow()
        if self.list.segments and not self._behind:
            self.waiting.call()
        if len(self.waiting):
            self._timer = Deadline(self._loop, self._look)
            self._timer.set(limits.HLS_PULL_SECONDS)


class WindowView:
    """The `Presentation` of one request: its part of a window."""

    def __init__(self, window: HlsWindow, wish: WindowWish, path: str) -> None:
        self.path = path
        self._window = window
        self._segments = window.segments(wish)

    @property
    def text(self) -> str:
        return self._window.text(self._segments, self.path)

    @property
    def rates(self) -> tuple[int, int]:
        return bit_rates((segment.stop - segment.position, segment.duration_ms) for segment in self._segments)

    @property
    def frame_rate(self) -> float:
        return 0.0

    @property
    def asked(self) -> float:
        return self._window.asked

    @asked.setter
    def asked(self, now: float) -> None:
        self._window.asked = now

    @property
    def ended(self) -> bool:
        return self._window.ended

    @property
    def idle_seconds(self) -> float:
        return self._window.idle_seconds

    @property
    def waiting(self) -> Crowd:
        return self._window.waiting

    def wait(self, woken: Callable[[], None]) -> None:
        self._window.wait(woken)
