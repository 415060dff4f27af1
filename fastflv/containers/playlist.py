"""HLS playlists: the list of available segments, and its text.

Specification: RFC 8216, 4.3 (tags), 6.2.1 and 6.2.2 (how a live playlist changes).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from fastflv import limits

QUERY = "\0"
"Placeholder behind each URI of a playlist for the viewer's query string."


@dataclass(frozen=True, slots=True)
class PlaylistEntry:
    """One segment in a playlist."""

    uri: str
    duration_ms: int
    discontinuity: bool = False
    "Whether the segment does not continue the one before."

    map_uri: str = ""
    "Initialisation section of the segment; empty for TS."

    key_uri: str = ""
    "Key of the segment, AES-128; empty when it is not encrypted."

    iv: str = ""
    "Its initialisation vector, 32 hexadecimal digits."

    date: str = ""
    "Wall clock at the first frame, as `date_of` writes it; empty when unknown."


class Playlist:
    """A live media playlist. It grows at its end and shrinks at its front; numbers never go back.

    *playlist_ms*: intended length, which may change at any time. The oldest segments leave when the rest is at
    least this long, and at least three target durations (RFC 8216, 6.2.2). *target*: target duration, seconds,
    which never changes (RFC 8216, 6.2.1); 0 until it is set, before the first segment.
    """

    def __init__(
        self, playlist_ms: int, target: int = 0, *, sequence: int = 0, discontinuities: int = 0
    ) -> None:
        self.entries: deque[PlaylistEntry] = deque()
        self.sequence = sequence
        "Number of the first entry."
        self.discontinuities = discontinuities
        "Discontinuities before the first entry."
        self.target = target
        self.ended = False
        self.playlist_ms = playlist_ms
        self._length_ms = 0

    @property
    def next(self) -> int:
        """Number of the next segment."""
        return self.sequence + len(self.entries)

    @property
    def length_ms(self) -> int:
        """Length of all entries, ms."""
        return self._length_ms

    def append(self, entry: PlaylistEntry) -> list[PlaylistEntry]:
        """Add the newest segment, not longer than the target; return the oldest ones, which leave."""
        self.entries.append(entry)
        self._length_ms += entry.duration_ms
        left = []
        keep_ms = max(self.playlist_ms, 3000 * self.target)
        while self._length_ms - self.entries[0].duration_ms >= keep_ms:
            left.append(self.drop())
        return left

    def drop(self) -> PlaylistEntry:
        """Remove the oldest segment."""
        entry = self.entries.popleft()
        self.sequence += 1
        self.discontinuities += entry.discontinuity
        self._length_ms -= entry.duration_ms
        return entry

    def text(self) -> str:
        """Return the text of the playlist, with QUERY behind each URI."""
        mapped = any(entry.map_uri for entry in self.entries)
        lines = [
            "#EXTM3U",
            f"#EXT-X-VERSION:{7 if mapped else 3}",
            f"#EXT-X-TARGETDURATION:{self.target}",
            f"#EXT-X-MEDIA-SEQUENCE:{self.sequence}",
        ]
        if self.discontinuities:
            lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{self.discontinuities}")
        map_uri, key = "", ("", "")
        for entry in self.entries:
            if entry.discontinuity:
                lines.append("#EXT-X-DISCONTINUITY")
            new_map = entry.map_uri != map_uri
            # A key counts for the maps behind it too (4.3.2.4), and these are not encrypted.
            if key[0] and (new_map or not entry.key_uri):
                lines.append("#EXT-X-KEY:METHOD=NONE")
                key = ("", "")
            if new_map:
                map_uri = entry.map_uri
                lines.append(f'#EXT-X-MAP:URI="{map_uri}{QUERY}"')
            if (entry.key_uri, entry.iv) != key:
                key = (entry.key_uri, entry.iv)
                # A query of the key server's own stays as it is.
                uri = entry.key_uri if "?" in entry.key_uri else entry.key_uri + QUERY
                lines.append(f'#EXT-X-KEY:METHOD=AES-128,URI="{uri}",IV=0x{entry.iv}')
            if entry.date:
                lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{entry.date}")
            lines += [f"#EXTINF:{entry.duration_ms / 1000:.3f},", entry.uri + QUERY]
        if self.ended:
            lines.append("#EXT-X-ENDLIST")
        return "\n".join(lines) + "\n"


def read_playlist(text: str, playlist_ms: int) -> Playlist | None:
    """Read a playlist that `Playlist.text` made, without queries; None for anything else."""
    lines = text.split("\n")
    if lines[0] != "#EXTM3U":
        return None
    playlist = Playlist(playlist_ms)
    duration_ms, broken, map_uri, date, key = -1, False, "", "", ("", "")
    for line in lines[1:]:
        name, _, value = line.partition(":")
        try:
            match name:
                case "#EXT-X-TARGETDURATION":
                    playlist.target = _count(value)
                case "#EXT-X-MEDIA-SEQUENCE":
                    playlist.sequence = _count(value)
                case "#EXT-X-DISCONTINUITY-SEQUENCE":
                    playlist.discontinuities = _count(value)
                case "#EXT-X-DISCONTINUITY":
                    broken = True
                case "#EXT-X-MAP":
                    map_uri = value.removeprefix('URI="').removesuffix('"')
                case "#EXT-X-KEY":
                    key = _key(value)
                case "#EXT-X-PROGRAM-DATE-TIME":
                    datetime.fromisoformat(value)
                    date = value
                case "#EXTINF":
                    duration_ms = round(1000 * float(value.partition(",")[0]))
                case _ if line and not line.startswith("#"):
                    if duration_ms < 0:
                        return None
                    entry = PlaylistEntry(line, duration_ms, broken, map_uri, *key, date)
                    playlist.entries.append(entry)
                    playlist._length_ms += duration_ms
                    duration_ms, broken, date = -1, False, ""
        except (ValueError, OverflowError):
            return None
    return playlist if playlist.target or not playlist.entries else None


def _key(attributes: str) -> tuple[str, str]:
    """Return URI and initialisation vector of a key that `Playlist.text` wrote. Raises ValueError."""
    if attributes == "METHOD=NONE":
        return "", ""
    found = re.fullmatch(r'METHOD=AES-128,URI="([^"]+)",IV=0x([0-9a-f]{32})', attributes)
    if found is None:
        raise ValueError(attributes)
    return found[1], found[2]


def date_of(wall_ms: int) -> str:
    """Return *wall_ms* (ms since 1970) as RFC 8216, 4.3.2.6 writes a time."""
    return datetime.fromtimestamp(wall_ms / 1000, UTC).strftime(f"%Y-%m-%dT%H:%M:%S.{wall_ms % 1000:03}Z")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise ValueError(text)
    return int(text)


@dataclass(frozen=True, slots=True)
class Rendition:
    """The attributes of a stream in a master playlist."""

    peak_bps: int
    "Highest bit rate of a segment; 0 when unknown."

    mean_bps: int
    codecs: tuple[str, ...] = ()
    "RFC 6381 names; empty when one of them is unknown."

    width: int = 0
    height: int = 0
    fps: float = 0.0


def master(uri: str, rendition: Rendition) -> str:
    """Return a master playlist with one variant stream (RFC 8216, 4.3.4.2)."""
    attributes = [f"BANDWIDTH={max(rendition.peak_bps, 1)}"]
    if rendition.mean_bps:
        attributes.append(f"AVERAGE-BANDWIDTH={rendition.mean_bps}")
    if rendition.codecs:
        attributes.append(f'CODECS="{",".join(rendition.codecs)}"')
    if rendition.width and rendition.height:
        attributes.append(f"RESOLUTION={rendition.width}x{rendition.height}")
    if rendition.fps:
        attributes.append(f"FRAME-RATE={rendition.fps:.3f}")
    return f"#EXTM3U\n#EXT-X-STREAM-INF:{','.join(attributes)}\n{uri}\n"


def target_of(longest_ms: int) -> int:
    """Return the target duration, seconds, of a playlist whose longest segment is expected to have *longest_ms*."""
    return max(-(-(longest_ms - limits.HLS_TARGET_SLACK_MS) // 1000), 1)


def expected_ms(least_ms: int, most_ms: int, gops_ms: tuple[int, int]) -> int:
    """Return the longest expected segment, ms. *gops_ms*: shortest and longest GOP so far, 0 when unknown."""
    shortest, longest = gops_ms
    if longest <= 0:
        return most_ms
    if longest - shortest > limits.HLS_TARGET_SLACK_MS:
        return min(least_ms + longest, most_ms)
    return min(-(-(least_ms - limits.HLS_TARGET_SLACK_MS) // longest) * longest, most_ms)


def bit_rates(segments: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Return the highest and the mean bits per second of `(bytes, ms)`."""
    rows = [(size, ms) for size, ms in segments if size > 0 and ms > 0]
    if not rows:
        return 0, 0
    peak = max(size * 8000 // ms for size, ms in rows)
    return peak, sum(size for size, _ in rows) * 8000 // sum(ms for _, ms in rows)
