"""Mounts: which paths are which stream in which container, and the arguments that a player of them has.

    [vhost]/[app]/[stream].legacy.flv?hevc=legacy
    /flv/[app]/[stream][.flv]

The ending of the path selects the container; an ending in brackets may be left out of a request. Arguments
behind `?` hold where the request's own query does not set them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fastflv.config.template import PathTemplate
from fastflv.config.variable import Variable

CONTAINERS: Final = {".flv": "flv", ".ts": "ts", ".aac": "aac", ".mp3": "mp3"}
"Endings of mounts, and the container of each."

ENDINGS: Final = (*CONTAINERS, ".m3u8", ".m4s")
"Endings that say what a request is for: a path with one of them is never taken for a stream's name without ending."

ARGS: Final = {
    "hevc": (("legacy", "enhanced"), ("flv",)),
    "only": (("audio", "video", "key"), ("flv", "ts")),
}
"Arguments that a mount may carry: their values, and the containers that they make a difference to."

BRACKETS: Final = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class Mount:
    """One URL pattern of `http_remux.mount`.

    `[app]` is one or more parts of a path, `[stream]` a part or a piece of one. Without `[app]` the app is
    `live`, without `[stream]` the stream is `livestream`.
    """

    vhost: str
    "Name of the vhost."

    text: str
    "The mount as it was written."

    container: str
    "flv, ts, aac or mp3."

    template: PathTemplate
    "The path with its ending; begins with a slash."

    bare: PathTemplate
    "The path without its ending."

    ending: str
    "As `.flv`."

    optional: bool
    "The ending may be left out of a request."

    args: dict[str, str]
    "Arguments of a player that its own query does not set: `mount.args | request.args`."

    @classmethod
    def parse(cls, text: str, vhost: str) -> Mount:
        """Read a mount of *vhost*. Raises ValueError with one sentence on what to write instead."""
        path, _, query = text.partition("?")
        optional = path.endswith("]") and path.rpartition("[")[2][:-1] in CONTAINERS
        if optional:
            path, _, ending = path[:-1].rpartition("[")
        else:
            ending = next((ending for ending in CONTAINERS if path.endswith(ending)), "")
            if not ending:
                raise ValueError(f"end it with one of {', '.join(CONTAINERS)}")
            path = path.removesuffix(ending)
        bare = _template(path, vhost)
        if optional and bare.head.count("/") < 2:
            # It would take every path of the server.
            raise ValueError(
                f"an ending may be left out below a fixed part only, as /flv/[app]/[stream][{ending}]"
            )
        container = CONTAINERS[ending]
        args = _args(query, container)
        return cls(vhost, text, container, bare.plus(ending), bare, ending, optional, args)

    def match(self, path: str) -> tuple[str, str] | None:
        """Return the app and the stream that *path* names, or None. Takes time linear in the length of *path*."""
        if path.endswith(self.ending):
            return self.template.stream_of(path)
        if not self.optional or path.endswith(ENDINGS):
            return None
        return self.bare.stream_of(path)

    @property
    def rank(self) -> tuple[int, int, int]:
        """Larger is more specific: of two mounts that match a path, the one with the larger rank takes it.

        Text before the first variable counts most, then text in all, then one part instead of several. A
        mount whose paths are all matched by another one too always ranks above that one.
        """
        tokens = self.bare.tokens
        text = sum(len(token) for token in tokens if isinstance(token, str))
        return len(self.bare.head), text, -tokens.count(Variable.APP)

    def example(self, app: str, stream: str) -> str:
        """A path that names this stream; the short one where the ending may be left out."""
        return (self.bare if self.optional else self.template).fill(app=app, stream=stream)


def parse_mounts(texts: Iterable[str], vhost: str) -> tuple[Mount, ...]:
    """Read the mounts of a vhost, the most specific one first: the first that matches a path takes it."""
    return tuple(
        sorted((Mount.parse(text, vhost) for text in texts), key=lambda mount: mount.rank, reverse=True)
    )


def _template(path: str, vhost: str) -> PathTemplate:
    # SRS mounts at host and path; here the vhost is found before the mount, so a leading name says nothing.
    path = path.removeprefix("[vhost]")
    if path.startswith(f"{vhost}/"):
        path = path.removeprefix(vhost)
    for name in BRACKETS.findall(path):
        if name not in ("vhost", "app", "stream"):
            raise ValueError(f"[{name}] means nothing here; write [vhost], [app] or [stream]")
    if any(mark in BRACKETS.sub("", path) for mark in "[]"):
        raise ValueError("brackets are for [vhost], [app], [stream] and, at the end, for an ending")
    template = PathTemplate.parse("/" + path.lstrip("/"), vhost)
    variables = template.variables
    for variable in variables:
        if variables.count(variable) > 1:
            raise ValueError(f"write [{variable.value}] once")
    for one, next_ in zip(template.tokens, template.tokens[1:], strict=False):
        if isinstance(one, Variable) and isinstance(next_, Variable):
            raise ValueError("put text between [app] and [stream]")
    return template


def _args(query: str, container: str) -> dict[str, str]:
    args: dict[str, str] = {}
    for word in filter(None, query.split("&")):
        name, _, value = word.partition("=")
        if name not in ARGS:
            raise ValueError(f"'{name}' is no argument of a mount; there are {' and '.join(ARGS)}")
        values, containers = ARGS[name]
        if value not in values:
            raise ValueError(f"write {name}={'|'.join(values)}")
        if container not in containers:
            raise ValueError(f"leave {name} out: it makes no difference to {container}")
        if args.setdefault(name, value) != value:
            raise ValueError(f"write {name} once")
    return args
