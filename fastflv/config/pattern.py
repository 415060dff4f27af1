"""Patterns of `mount`: which paths are which stream in which container, and what a player of them asks for.

    [vhost]/[app]/[stream].legacy.flv?hevc=legacy
    /flv/[app]/[stream][.flv]

The ending of the path picks the container; in brackets it may be left out of a request. What stands
behind `?` holds where the request's own query says nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fastflv.config.overlap import Tokens, Variable

CONTAINERS: Final = {".flv": "flv", ".ts": "ts", ".aac": "aac", ".mp3": "mp3"}
"Endings of mounts, and the container of each."

ENDINGS: Final = (*CONTAINERS, ".m3u8", ".m4s")
"Endings that say what a request is for: where a mount's own may be left out, none of them is part of a stream's name."

ARGS: Final = {
    "hevc": (("legacy", "enhanced"), ("flv",)),
    "only": (("audio", "video", "key"), ("flv", "ts")),
}
"Arguments that a mount may carry: their values, and the containers that they make a difference to."

VARIABLES: Final = {"app": Variable.APP, "stream": Variable.STREAM}
BRACKETS: Final = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One mount of one vhost."""

    text: str
    "As it was written."

    container: str
    "flv, ts, aac or mp3."

    tokens: Tokens
    "The path without its ending; begins with a slash. At most one variable of each kind, with text between."

    ending: str
    "As `.flv`."

    optional: bool
    "The ending may be left out of a request."

    args: tuple[tuple[str, str], ...]
    "Names and values, in the order written."

    @property
    def head(self) -> str:
        """The text before the first variable."""
        return str(self.tokens[0])

    @property
    def rank(self) -> tuple[int, int, int]:
        """Larger is more specific: of two mounts that match a path, the one with the larger rank takes it.

        Text before the first variable counts most, then text in all, then one part instead of several. A
        mount whose paths are all matched by another one too always ranks above that one.
        """
        text = sum(len(token) for token in self.tokens if isinstance(token, str))
        return len(self.head), text, -self.tokens.count(Variable.APP)

    def example(self, app: str, stream: str) -> str:
        """A path that asks for the stream of these names."""
        names = {Variable.APP: app, Variable.STREAM: stream}
        path = "".join(token if isinstance(token, str) else names[token] for token in self.tokens)
        return path if self.optional else path + self.ending


def parse_pattern(text: str, vhost: str) -> Pattern:
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
    tokens = _tokens(path, vhost)
    if optional and str(tokens[0]).count("/") < 2:
        # It would take every path of the server.
        raise ValueError(
            f"an ending may be left out below a fixed part only, as /flv/[app]/[stream][{ending}]"
        )
    container = CONTAINERS[ending]
    return Pattern(text, container, tokens, ending, optional, _args(query, container))


def _tokens(path: str, vhost: str) -> Tokens:
    # SRS mounts at host and path; here the vhost is found before the mount, so a leading name says nothing.
    path = path.removeprefix("[vhost]")
    if path.startswith(f"{vhost}/"):
        path = path.removeprefix(vhost)
    pieces = BRACKETS.split("/" + path.lstrip("/").replace("[vhost]", vhost))
    tokens: list[str | Variable] = [pieces[0]]
    for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
        variable = VARIABLES.get(name)
        if variable is None:
            raise ValueError(f"[{name}] means nothing here; write [vhost], [app] or [stream]")
        if variable in tokens:
            raise ValueError(f"write [{name}] once")
        if not tokens[-1]:
            raise ValueError("put text between [app] and [stream]")
        tokens += [variable, text]
    if any(mark in piece for piece in pieces[::2] for mark in "[]"):
        raise ValueError("brackets are for [vhost], [app], [stream] and, at the end, for an ending")
    return tuple(tokens if tokens[-1] else tokens[:-1])


def _args(query: str, container: str) -> tuple[tuple[str, str], ...]:
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
    return tuple(args.items())
