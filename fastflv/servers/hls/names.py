"""Names of HLS files: the stream of a playlist's URL, and the paths of segments."""

from __future__ import annotations

import posixpath
import re
import time
from typing import Final
from urllib.parse import quote, unquote

from fastflv.stream.name import StreamName

_VARIABLE: Final = re.compile(r"\[(vhost|app|stream|seq|duration|timestamp|2006|01|02|15|04|05|999)\]")
_STAMPS: Final = {"2006": "%Y", "01": "%m", "02": "%d", "15": "%H", "04": "%M", "05": "%S"}
_SAFE: Final = "/!$&'()*+,;=@~"
"Characters that may stand in the path of a URI as they are; a colon could end a scheme."


class HlsNames:
    """The path templates of a vhost. Paths have no leading slash; a URL is `/` and the path.

    Two objects with equal templates are equal. Variables as in SRS: [vhost] [app] [stream], of a segment [seq] [duration] (ms) [timestamp] (ms since 1970)
    and the parts of the time: [2006] [01] [02] [15] [04] [05] [999].
    """

    def __init__(
        self,
        vhost: str,
        playlist: str = "[app]/[stream].m3u8",
        segment: str = "[app]/[stream]-[seq].ts",
        mp4_segment: str = "[app]/[stream]-[seq].m4s",
        init: str = "[app]/[stream]/init.mp4",
        *,
        prefix: str = "",
        utc: bool = False,
    ) -> None:
        self.vhost = vhost
        self._settings: dict[str, str | bool] = {
            "hls_m3u8_file": playlist,
            "hls_ts_file": segment,
            "hls_fmp4_file": mp4_segment,
            "hls_init_file": init,
            "hls_entry_prefix": prefix,
            "utc_time": utc,
        }
        self._playlist = playlist.lstrip("/")
        self._segments = {False: _counted(segment), True: _counted(mp4_segment)}
        self._init = _counted(init)
        self._prefix = prefix
        self._utc = utc
        self._playlist_match = _matcher(self._playlist, vhost)
        self._segment_matches = [_matcher(name, vhost) for name in (*self._segments.values(), self._init)]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, HlsNames):
            return NotImplemented
        return self.vhost == other.vhost and self._settings == other._settings

    def __hash__(self) -> int:
        return hash((self.vhost, *self._settings.values()))

    def changes(self, other: HlsNames) -> list[str]:
        """Return the directives whose values differ."""
        return [name for name, value in self._settings.items() if other._settings[name] != value]

    def stream_of(self, url_path: str) -> StreamName | None:
        """Return the stream whose playlist has this URL path, or None."""
        return self._match(self._playlist_match, url_path)

    def segment_of(self, url_path: str) -> StreamName | None:
        """Return the stream whose segment may have this URL path, or None."""
        found = (self._match(match, url_path) for match in self._segment_matches)
        return next((name for name in found if name is not None), None)

    def playlist_path(self, name: StreamName) -> str:
        """Return the path of a stream's playlist; empty when another stream has the same, or it leaves the root."""
        path = self._fill(self._playlist, name)
        return path if is_inside(path) and self.stream_of(f"/{path}") == name else ""

    def segment_path(
        self, name: StreamName, number: int, duration_ms: int, begun: float, *, mp4: bool
    ) -> str:
        """Return the path of a segment that began at *begun* (seconds since 1970)."""
        return self._fill(self._segments[mp4], name, number, duration_ms, begun)

    def init_path(self, name: StreamName, number: int, begun: float) -> str:
        """Return the path of the initialisation section whose first segment is *number*."""
        return self._fill(self._init, name, number, 0, begun)

    def uri(self, path: str, playlist: str) -> str:
        """Return the URI of the file at *path* in the playlist at *playlist*."""
        folder = posixpath.dirname(playlist)
        near = quote(posixpath.relpath(path, folder or "."), safe=_SAFE)
        if self._prefix and not self._prefix.endswith("/"):
            return (
                f"{self._prefix}/{quote(folder, safe=_SAFE)}/{near}" if folder else f"{self._prefix}/{near}"
            )
        return self._prefix + near

    def master_uri(self, playlist: str, *, relative: bool) -> str:
        """Return the URI of a media playlist in the master playlist, which has the same path."""
        path = quote(playlist, safe=_SAFE)
        return posixpath.basename(path) if relative else f"/{path}"

    def path_of(self, uri: str, playlist: str) -> str:
        """Return the path of a URI that `uri` made; empty for any other URI."""
        folder = posixpath.dirname(playlist)
        front = self._prefix
        if front and not front.endswith("/"):
            front += f"/{quote(folder, safe=_SAFE)}/" if folder else "/"
        if not uri.startswith(front):
            return ""
        path = posixpath.normpath(posixpath.join(folder, unquote(uri[len(front) :])))
        return path if is_inside(path) else ""

    def _match(self, match: re.Pattern[str], url_path: str) -> StreamName | None:
        found = match.fullmatch(url_path)
        if found is None:
            return None
        groups = found.groupdict()
        app, stream = groups.get("app") or "live", groups.get("stream") or "livestream"
        if app[0] == "/" or app[-1] == "/" or "//" in app:
            return None
        return StreamName(self.vhost, app, stream)

    def _fill(
        self, pattern: str, name: StreamName, number: int = 0, duration_ms: int = 0, begun: float = 0.0
    ) -> str:
        stamp = time.gmtime(begun) if self._utc else time.localtime(begun)

        def value(found: re.Match[str]) -> str:
            match found[1]:
                case "vhost":
                    return name.vhost
                case "app":
                    return name.app
                case "stream":
                    return name.stream
                case "seq":
                    return str(number)
                case "duration":
                    return str(duration_ms)
                case "timestamp":
                    return str(int(begun * 1000))
                case "999":
                    return f"{int(begun * 1000) % 1000:03d}"
                case other:
                    return time.strftime(_STAMPS[other], stamp)

        return _VARIABLE.sub(value, pattern)


def is_inside(path: str) -> bool:
    """Whether *path* stays below the root directory that it is appended to."""
    return "\0" not in path and all(part not in ("", ".", "..") for part in path.split("/"))


def _counted(pattern: str) -> str:
    """Return the pattern with [seq] before its ending, unless it has a number that never recurs."""
    pattern = pattern.lstrip("/")
    if "[seq]" in pattern or "[timestamp]" in pattern:
        return pattern
    stem, dot, ending = pattern.rpartition(".")
    return f"{stem}-[seq].{ending}" if dot and "/" not in ending else f"{pattern}-[seq]"


def _matcher(pattern: str, vhost: str) -> re.Pattern[str]:
    """Return a regular expression for the URL paths of a pattern."""
    groups = {"app": "(?P<app>.+)", "stream": "(?P<stream>[^/]+)"}
    out = "/"
    seen = set()
    for at, piece in enumerate(_VARIABLE.split(pattern)):
        if at % 2 == 0:
            out += re.escape(piece)
        elif piece == "vhost":
            out += re.escape(vhost)
        elif piece in groups:
            out += f"(?P={piece})" if piece in seen else groups[piece]
            seen.add(piece)
        else:
            out += "[0-9]+"
    return re.compile(out, re.DOTALL)
