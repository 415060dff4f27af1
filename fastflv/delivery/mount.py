"""Mount patterns: which URL is which stream in which container."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from fastflv.stream.name import StreamName

CONTAINERS = {".flv": "flv", ".ts": "ts", ".aac": "aac", ".mp3": "mp3"}


@dataclass(frozen=True, slots=True)
class Mount:
    """One pattern of `http_remux.mount`, for example `[vhost]/[app]/[stream].flv`.

    `[vhost]` stands for the vhost of the request (nothing for the default one), `[app]` for one or
    more path parts when it is alone in its part, `[stream]` for a part without a slash.
    """

    vhost: str
    pattern: str
    container: str
    regex: re.Pattern[str]
    args: dict[str, str] = field(default_factory=dict)
    "Query arguments that count where the request has none of that name."

    def match(self, path: str) -> StreamName | None:
        """Return the stream that *path* names, or None."""
        found = self.regex.fullmatch(path)
        if found is None:
            return None
        groups = found.groupdict()
        return StreamName(self.vhost, groups.get("app") or "live", groups.get("stream") or "livestream")


def container_of(pattern: str) -> str | None:
    """Return the container that a pattern's extension chooses, None for an extension without one."""
    return next((name for ext, name in CONTAINERS.items() if pattern.endswith(ext)), None)


def compile_mount(pattern: str, vhost: str) -> Mount:
    """Compile a pattern for a vhost. Raises ValueError for an extension without a container."""
    container = container_of(pattern)
    if container is None:
        raise ValueError(f"mount {pattern} must end in one of {', '.join(CONTAINERS)}")
    path = pattern.removeprefix("[vhost]").removeprefix(vhost)
    path = "/" + path.lstrip("/")
    regex = re.escape(path)
    regex = regex.replace(re.escape("[vhost]"), re.escape(vhost))
    regex = regex.replace(re.escape("[app]"), "(?P<app>[^/]+(?:/[^/]+)*?)", 1)
    regex = regex.replace(re.escape("[stream]"), "(?P<stream>[^/]+)", 1)
    return Mount(vhost, pattern, container, re.compile(regex))
