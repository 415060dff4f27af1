"""Names and life of segments: numbered, listed in the playlist, served for a while after they left it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fastflv import limits
from fastflv.containers.playlist import Playlist, PlaylistEntry, bit_rates, date_of
from fastflv.containers.segmenter import Segment
from fastflv.servers.hls.names import HlsNames
from fastflv.stream.name import StreamName


@dataclass(slots=True)
class NamedSegment:
    """A segment with its place in the store."""

    path: str
    init_path: str
    "Initialisation section; empty for TS."

    size: int
    "Bytes, 0 when unknown."

    duration_ms: int
    discontinuity: bool = False
    begun_ms: int = 0
    "Wall clock at its first frame, ms since 1970; 0 when unknown."

    pictures: int = 0
    "Pictures in it, 0 when unknown."

    key_path: str = ""
    "Its key; empty when it is not encrypted."

    iv: str = ""
    "Its initialisation vector, hexadecimal."

    playlist_ms: int = 0
    "Length of the longest playlist that listed the segment."

    expires: float = 0.0
    "Clock time, seconds, from which on no player may ask for the segment; 0 while the playlist lists it."


class SegmentList:
    """The segments of one stream, without their bytes. Sans-IO: clock times are arguments, in seconds.

    RFC 8216, 6.2.1 and 6.2.2: numbers never go back, also when a stream ends and begins anew; a segment that
    left the playlist stays available for its own length and that of the longest playlist that listed it.
    """

    def __init__(self, name: StreamName, names: HlsNames, playlist_ms: int, first_number: int) -> None:
        self.path = names.playlist_path(name)
        "Path of the playlist."
        self.playlist = Playlist(playlist_ms, sequence=first_number)
        self._name = name
        self._names = names
        self._first = first_number
        "Number of the first segment of the presentation, which never needs a discontinuity."
        self._listed: deque[NamedSegment] = deque()
        self._expired: deque[NamedSegment] = deque()
        "Segments that left the playlist and may still be asked for, oldest first."
        self._init = (b"", "")
        "The newest initialisation section and its path."

    def __len__(self) -> int:
        """Number of segments in the playlist."""
        return len(self._listed)

    @property
    def rates(self) -> tuple[int, int]:
        """Highest and mean bits per second of the segments in the playlist; 0, 0 when unknown."""
        return bit_rates((segment.size, segment.duration_ms) for segment in self._listed)

    @property
    def frame_rate(self) -> float:
        """Pictures a second in the segments of the playlist; 0.0 when unknown."""
        known = [segment for segment in self._listed if segment.pictures]
        duration_ms = sum(segment.duration_ms for segment in known)
        return 1000 * sum(segment.pictures for segment in known) / duration_ms if duration_ms else 0.0

    def name_segment(self, segment: Segment, floor_ms: int) -> NamedSegment:
        """Name the next segment. *floor_ms*: the start times in names are rounded down to this."""
        number = self.playlist.next
        begun = segment.begun_ms / 1000
        path = ""
        if floor_ms:
            path = self._segment_path(segment, number, segment.begun_ms // floor_ms * floor_ms / 1000)
        if not path or self._is_taken(path):
            path = self._segment_path(segment, number, begun)
        if segment.init and segment.init != self._init[0]:
            self._init = (segment.init, self._names.init_path(self._name, number, begun))
        init_path = self._init[1] if segment.init else ""
        return NamedSegment(
            path,
            init_path,
            len(segment.body),
            segment.duration_ms,
            segment.discontinuity,
            segment.begun_ms,
            segment.pictures,
        )

    def append(self, segment: NamedSegment, target: int, now: float) -> None:
        """List a stored segment. *target*: target duration, seconds, if it is the first one of the playlist."""
        playlist = self.playlist
        playlist.target = playlist.target or target
        left = playlist.append(
            PlaylistEntry(
                self._names.uri(segment.path, self.path),
                segment.duration_ms,
                segment.discontinuity and playlist.next > self._first,
                self._names.uri(segment.init_path, self.path) if segment.init_path else "",
                self._names.key_uri(segment.key_path, self.path) if segment.key_path else "",
                segment.iv,
                date_of(segment.begun_ms),
            )
        )
        self._listed.append(segment)
        for _ in left:
            self._leave(self._listed.popleft(), now)
        for listed in self._listed:
            listed.playlist_ms = max(listed.playlist_ms, playlist.length_ms)

    def expire(self, now: float) -> list[str]:
        """Return the paths that no player may ask for any more, and forget them."""
        paths = []
        while self._expired and self._expired[0].expires <= now:
            paths += self._forget(self._expired.popleft())
        return paths

    def expire_all(self) -> list[str]:
        """Return the paths of all segments that left the playlist, and forget them."""
        return self.expire(float("inf"))

    def evict(self) -> list[str]:
        """Forget the oldest segment before its time and return its paths; empty when three are left."""
        if self._expired:
            return self._forget(self._expired.popleft())
        if len(self._listed) <= limits.HLS_FIRST_SEGMENTS:
            return []
        self.playlist.drop()
        return self._forget(self._listed.popleft())

    def begin_anew(self, now: float) -> None:
        """Begin another presentation after an end: an empty playlist whose numbers go on."""
        for segment in self._listed:
            self._leave(segment, now)
        self._listed.clear()
        old = self.playlist
        broken = sum(entry.discontinuity for entry in old.entries)
        self._first = old.next
        self.playlist = Playlist(
            old.playlist_ms, sequence=old.next, discontinuities=old.discontinuities + broken + 1
        )

    def resume(self, playlist: Playlist) -> Iterator[str]:
        """Continue the playlist of an earlier process; return the paths that it refers to."""
        self.playlist = playlist
        self._first = -1
        for entry in playlist.entries:
            path, init_path = (
                self._names.path_of(uri, self.path) if uri else "" for uri in (entry.uri, entry.map_uri)
            )
            segment = NamedSegment(path, init_path, 0, entry.duration_ms, entry.discontinuity)
            segment.key_path = self._names.path_of_key(entry.key_uri, self.path) if entry.key_uri else ""
            segment.playlist_ms = playlist.length_ms
            self._listed.append(segment)
            yield from (path for path in (path, init_path, segment.key_path) if path)

    def set_sizes(self, sizes: Mapping[str, int]) -> None:
        """Tell the sizes, in bytes, of the segments of a resumed playlist."""
        for segment in self._listed:
            segment.size = sizes.get(segment.path, 0)

    def _segment_path(self, segment: Segment, number: int, begun: float) -> str:
        mp4 = bool(segment.init)
        return self._names.segment_path(self._name, number, segment.duration_ms, begun, mp4=mp4)

    def _is_taken(self, path: str) -> bool:
        """Whether an available segment has this path: two segments may begin between two multiples of the clock."""
        return any(path == other.path for other in (*self._expired, *self._listed))

    def _leave(self, segment: NamedSegment, now: float) -> None:
        segment.expires = now + (segment.duration_ms + segment.playlist_ms) / 1000
        self._expired.append(segment)

    def _forget(self, segment: NamedSegment) -> list[str]:
        """Return the paths that only this segment needs."""
        paths = [segment.path]
        others = (*self._expired, *self._listed)
        init, key = segment.init_path, segment.key_path
        if init and init != self._init[1] and not any(other.init_path == init for other in others):
            paths.append(init)
        if key and not any(other.key_path == key for other in others):
            paths.append(key)
        return paths
