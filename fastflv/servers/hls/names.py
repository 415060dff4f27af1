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
    """The path templates of a vhost. Paths have no leading slash; a URL is `/` and the path.

    Two objects with equal templates are equal. Variables as in SRS: [vhost] [app] [stream], of a segment [seq]
    [duration] (ms) [timestamp] (ms since 1970) and the parts of the time: [2006] [01] [02] [15] [04] [05] [999].
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
        keys: bool = False,
        key: str = "[app]/[stream]-[seq].key",
        key_url: str = "",
        serves_keys: bool = True,
    ) -> None:
        """*keys*: segments are encrypted; *serves_keys*: and keys are served here."""
        self.vhost = vhost
        self.keys = keys
        self._settings: dict[str, str | bool] = {
            "hls_m3u8_file": playlist,
            "hls_ts_file": segment,
            "hls_fmp4_file": mp4_segment,
            "hls_init_file": init,
            "hls_entry_prefix": prefix,
            "utc_time": utc,
            "hls_keys": keys,
            "hls_key_file": key,
            "hls_key_url": key_url,
        }
        self.files = HlsFiles.parse(
            vhost,
            playlist=playlist,
            ts=segment,
            mp4=mp4_segment,
            init=init,
            key=key,
            serves_keys=keys and serves_keys,
        )
        self._key_url = key_url if not key_url or key_url.endswith(("/", "=")) else f"{key_url}/"
        self._prefix = prefix
        self._utc = utc

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
        return self._match(self.files.playlist, url_path)

    def segment_of(self, url_path: str) -> StreamName | None:
        """Return the stream whose segment may have this URL path, or None."""
        found = (self._match(template, url_path) for template in self.files.media)
        return next((name for name in found if name is not None), None)

    def key_of(self, url_path: str) -> StreamName | None:
        """Return the stream whose key may have this URL path, or None."""
        return self._match(self.files.key, url_path) if self.files.serves_keys else None

    def playlist_path(self, name: StreamName) -> str:
        """Return the path of a stream's playlist; empty when another stream has the same, or it leaves the root."""
        path = self._fill(self.files.playlist, name, 0, 0, 0.0)
        return path if is_inside(path) and self.stream_of(f"/{path}") == name else ""

    def segment_path(
        self, name: StreamName, number: int, duration_ms: int, begun: float, *, mp4: bool
    ) -> str:
        """Return the path of a segment that began at *begun* (seconds since 1970)."""
        return self._fill(self.files.mp4 if mp4 else self.files.ts, name, number, duration_ms, begun)

    def init_path(self, name: StreamName, number: int, begun: float) -> str:
        """Return the path of the initialisation section whose first segment is *number*."""
        return self._fill(self.files.init, name, number, 0, begun)

    def key_path(self, name: StreamName, number: int, begun: float) -> str:
        """Return the path of the key whose first segment is *number*."""
        return self._fill(self.files.key, name, number, 0, begun)

    def key_uri(self, path: str, playlist: str) -> str:
        """Return the URI of the key at *path* in the playlist at *playlist*."""
        if self._key_url:
            return self._key_url + quote(path, safe=_SAFE)
        return quote(posixpath.relpath(path, posixpath.dirname(playlist) or "."), safe=_SAFE)

    def path_of_key(self, uri: str, playlist: str) -> str:
        """Return the path of a URI that `key_uri` made; empty for any other URI."""
        if self._key_url:
            path = unquote(uri.removeprefix(self._key_url)) if uri.startswith(self._key_url) else ""
        else:
            path = posixpath.normpath(posixpath.join(posixpath.dirname(playlist), unquote(uri)))
        return path if is_inside(path) else ""

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

    def _match(self, template: PathTemplate, url_path: str) -> StreamName | None:
        found = template.stream_of(url_path)
        return StreamName(self.vhost, *found) if found is not None else None

    def _fill(
        self, template: PathTemplate, name: StreamName, number: int, duration_ms: int, begun: float
    ) -> str:
        times = time_values(begun, utc=self._utc)
        return template.fill(app=name.app, stream=name.stream, seq=number, duration=duration_ms, **times)[1:]


def is_inside(path: str) -> bool:
    """Whether *path* stays below the root directory that it is appended to."""
    return "\0" not in path and all(part not in ("", ".", "..") for part in path.split("/"))
