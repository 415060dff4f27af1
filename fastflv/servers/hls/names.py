"""Names of HLS files: the stream of a URL, the paths of segments, and URIs in playlists."""

from __future__ import annotations

import posixpath
from typing import Final
from urllib.parse import quote, unquote

from fastflv.config.hlsfiles import HlsFiles
from fastflv.config.template import PathTemplate, time_values
from fastflv.stream.name import StreamName

_SAFE: Final = "/!$&'()*+,;=@~"
"Characters that may stand in the path of a URI as they are; a colon could end a scheme."


class HlsNames:
    """The names of one vhost. Paths have no slash at their front; a URL is `/` and the path.

    Variables as in SRS: [vhost] [app] [stream], of a segment [seq] [duration] (ms) [timestamp] (ms since 1970)
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
        self.files = HlsFiles.parse(vhost, playlist=playlist, ts=segment, mp4=mp4_segment, init=init)
        self._prefix = prefix
        self._utc = utc

    def stream_of(self, url_path: str) -> StreamName | None:
        """The stream whose playlist the path of a URL is, or None."""
        return self._match(self.files.playlist, url_path)

    def segment_of(self, url_path: str) -> StreamName | None:
        """The stream that the path could be a segment of, or None."""
        found = (self._match(template, url_path) for template in self.files.media)
        return next((name for name in found if name is not None), None)

    def playlist_path(self, name: StreamName) -> str:
        """Path of the playlist of a stream; empty when it would be another's, or lie outside of the root."""
        path = self._fill(self.files.playlist, name, 0, 0, 0.0)
        return path if is_inside(path) and self.stream_of(f"/{path}") == name else ""

    def segment_path(
        self, name: StreamName, number: int, duration_ms: int, begun: float, *, mp4: bool
    ) -> str:
        """Path of a segment that began at *begun* (seconds since 1970)."""
        return self._fill(self.files.mp4 if mp4 else self.files.ts, name, number, duration_ms, begun)

    def init_path(self, name: StreamName, number: int, begun: float) -> str:
        """Path of the initialisation section that is first used by segment *number*."""
        return self._fill(self.files.init, name, number, 0, begun)

    def uri(self, path: str, playlist: str) -> str:
        """What the playlist at path *playlist* calls the file at *path*."""
        folder = posixpath.dirname(playlist)
        near = quote(posixpath.relpath(path, folder or "."), safe=_SAFE)
        if self._prefix and not self._prefix.endswith("/"):
            return (
                f"{self._prefix}/{quote(folder, safe=_SAFE)}/{near}" if folder else f"{self._prefix}/{near}"
            )
        return self._prefix + near

    def master_uri(self, playlist: str, *, relative: bool) -> str:
        """What a master playlist, which has the same path, calls the playlist."""
        path = quote(playlist, safe=_SAFE)
        return posixpath.basename(path) if relative else f"/{path}"

    def path_of(self, uri: str, playlist: str) -> str:
        """The path that `uri` made a URI of; empty when it is none of ours."""
        folder = posixpath.dirname(playlist)
        front = self._prefix
        if front and not front.endswith("/"):
            front += f"/{quote(folder, safe=_SAFE)}/" if folder else "/"
        if not uri.startswith(front):
            return ""
        path = posixpath.normpath(posixpath.join(folder, unquote(uri[len(front) :])))
        return path if is_inside(path) else ""

    def _match(self, template: PathTemplate, url_path: str) -> StreamName | None:
        found = template.stream_of(url_path)
        return StreamName(self.vhost, *found) if found is not None else None

    def _fill(
        self, template: PathTemplate, name: StreamName, number: int, duration_ms: int, begun: float
    ) -> str:
        times = time_values(begun, utc=self._utc)
        return template.fill(app=name.app, stream=name.stream, seq=number, duration=duration_ms, **times)[1:]


def is_inside(path: str) -> bool:
    """Whether *path* stays below the root that it is put behind."""
    return "\0" not in path and all(part not in ("", ".", "..") for part in path.split("/"))
