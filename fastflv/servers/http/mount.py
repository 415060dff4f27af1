"""Mounts: which URL is which stream in which container."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from fastflv.config.overlap import Variable
from fastflv.config.pattern import CONTAINERS, ENDINGS, parse_pattern
from fastflv.stream.name import StreamName

__all__ = ["CONTAINERS", "Mount", "compile_mount", "compile_mounts"]


class Shape(Enum):
    """What lies between the first and the last text of a mount."""

    NOTHING = ()
    APP = (Variable.APP,)
    STREAM = (Variable.STREAM,)
    APP_STREAM = (Variable.APP, Variable.STREAM)
    STREAM_APP = (Variable.STREAM, Variable.APP)


@dataclass(frozen=True, slots=True)
class Mount:
    """One pattern of `http_remux.mount`, for example `[vhost]/[app]/[stream].flv`.

    `[vhost]` stands for the vhost of the request (nothing for the default one), `[app]` for one or
    more path parts, `[stream]` for a part without a slash. Without `[app]` it is `live`, without
    `[stream]` `livestream`.
    """

    vhost: str
    "Name of the vhost."

    pattern: str
    "As it was written."

    container: str
    "flv, ts, aac or mp3."

    args: dict[str, str]
    "What a player gets where its own query says nothing else: `mount.args | request.args`."

    shape: Shape
    "Which variables there are, in order."

    head: str
    "Text before the first variable; begins with a slash."

    between: str
    "Text between two variables."

    tail: str
    "Text behind the last variable, without the ending."

    ending: str
    "As `.flv`."

    optional: bool
    "A path without any ending is taken too."

    def match(self, path: str) -> StreamName | None:
        """Return the stream that *path* names, or None. Takes time by the length of the path, whatever is in it."""
        tail = self.tail
        if path.endswith(self.ending):
            tail += self.ending
        elif not self.optional or path.endswith(ENDINGS):
            return None
        end = len(path) - len(tail)
        if not (path.startswith(self.head) and path.endswith(tail) and len(self.head) <= end):
            return None
        names = self._split(path[len(self.head) : end])
        return StreamName(self.vhost, *names) if names is not None else None

    def _split(self, rest: str) -> tuple[str, str] | None:
        """The app and the stream in *rest*, or None."""
        app, stream = "live", "livestream"
        match self.shape:
            case Shape.NOTHING:
                return None if rest else (app, stream)
            case Shape.APP:
                app = rest
            case Shape.STREAM:
                stream = rest
            case Shape.APP_STREAM:
                # The stream has no slash and is not empty, so this is the one place or the last of them.
                at = rest.rfind(self.between, 0, -1)
                if at < 0:
                    return None
                app, stream = rest[:at], rest[at + len(self.between) :]
            case Shape.STREAM_APP:
                slash = rest.find("/")
                inside = self.between.find("/")
                if inside >= 0:
                    at = (
                        slash - inside
                        if slash >= inside and rest.startswith(self.between, slash - inside)
                        else -1
                    )
                else:
                    at = rest.rfind(self.between, 0, (slash if slash >= 0 else len(rest)) - 1)
                if at < 0:
                    return None
                stream, app = rest[:at], rest[at + len(self.between) :]
        if not stream or "/" in stream or not app or app[0] == "/" or app[-1] == "/" or "//" in app:
            return None
        return app, stream


def compile_mount(pattern: str, vhost: str) -> Mount:
    """Compile a pattern for a vhost. Raises ValueError as `parse_pattern`."""
    parsed = parse_pattern(pattern, vhost)
    head, *rest = parsed.tokens
    tail = rest.pop() if rest and isinstance(rest[-1], str) else ""
    texts = [token for token in rest if isinstance(token, str)]
    return Mount(
        vhost,
        pattern,
        parsed.container,
        dict(parsed.args),
        Shape(tuple(token for token in rest if isinstance(token, Variable))),
        str(head),
        texts[0] if texts else "",
        str(tail),
        parsed.ending,
        parsed.optional,
    )


def compile_mounts(patterns: Iterable[str], vhost: str) -> tuple[Mount, ...]:
    """Compile the mounts of a vhost, the most specific one first: the first that matches a path takes it."""
    ranked = sorted(patterns, key=lambda pattern: parse_pattern(pattern, vhost).rank, reverse=True)
    return tuple(compile_mount(pattern, vhost) for pattern in ranked)
