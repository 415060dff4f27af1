"""Which URLs the outputs of a vhost have, and whether two of them mean one and the same URL.

The rules by which a request is answered: the API first where it shares the port, then what HLS has made,
then the most specific mount (`Pattern.rank`). So patterns may meet; they may not where these rules do not say
which of them takes the path, or where nothing would be left of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from fastflv.config.grammar.directive import Directive
from fastflv.config.grammar.section import Section, Value
from fastflv.config.model.service import read_hls
from fastflv.config.model.vhost import DEFAULT_MOUNT
from fastflv.config.overlap import Overlap, Tokens, Variable, compare
from fastflv.config.pattern import ENDINGS, Pattern, parse_pattern
from fastflv.errors import ConfigValueError

API_PREFIX: Final = "/api/"
"What the API answers below."

FILE_VARIABLES: Final = re.compile(r"\[(app|stream|seq|duration|timestamp|2006|01|02|15|04|05|999)\]")
"Variables in the names of HLS files; all but the first two are numbers."


@dataclass(frozen=True, slots=True)
class Route:
    """One pattern of URLs and where it was written."""

    what: str
    "What it is called in messages."

    paths: Tokens
    "What matches."

    bare: Tokens | None
    "What matches besides, without any ending of `ENDINGS`; None where there is no such thing."

    at: Value | Directive
    "Where it stands; the block where nothing was written."

    def meet(self, other: Route) -> Overlap | None:
        """How the paths of both lie to each other; None where they do not meet."""
        for mine, its in ((self.paths, other.paths), (self.bare, other.bare), (self.paths, other.bare)):
            # What has an ending is never taken for something without one.
            if mine and its and not (its is other.bare and _ended(mine)):
                found = compare(mine, its)
                if found.path:
                    return found
        return None

    def refuse(self, other: Route, path: str, hint: str) -> ConfigValueError:
        """The error for this route, which was written after *other*."""
        return ConfigValueError(
            f"{self.what} and {other.what} ({other.at.place}) both take {path}",
            file=self.at.file,
            line=self.at.line,
            hint=hint,
        )


def check_routes(vhost: Section, *, api_shared: bool) -> None:
    """Raise ConfigValueError for the first two outputs of *vhost* that would answer the same path.

    *api_shared*: the API answers on the ports of the HTTP server.
    """
    remux = vhost.sub("http_remux")
    if vhost.directive is None or not remux.flag("enabled", False):
        return
    mounts = list(_mounts(remux, vhost.directive))
    for pattern, route in mounts:
        if api_shared and pattern.head.startswith(API_PREFIX):
            raise ConfigValueError(
                f"{route.what} is never reached: the API answers below {API_PREFIX} on the same port",
                file=route.at.file,
                line=route.at.line,
                hint="give it another path, or the API another port",
            )
    for (first, before), (second, after) in combinations(mounts, 2):
        if first.rank != second.rank or dict(first.args) == dict(second.args):
            continue
        lie = before.meet(after)
        if lie:
            raise after.refuse(before, lie.path, "give one of them a path that the other does not match")
    hls = vhost.sub("hls")
    if hls.flag("enabled", False):
        _check_hls(hls, vhost.directive, [route for _, route in mounts])


def _mounts(remux: Section, vhost: Directive) -> Iterator[tuple[Pattern, Route]]:
    default = remux.directive or vhost
    words: dict[str, Value | Directive] = {}
    for value in remux.values("mount", split=True):
        for word in value.words:
            words.setdefault(word, value)
    for word, at in (words or {DEFAULT_MOUNT: default}).items():
        pattern = parse_pattern(word, vhost.args[0])
        bare = pattern.tokens if pattern.optional else None
        yield pattern, Route(f"mount {word}", (*pattern.tokens, pattern.ending), bare, at)


def _check_hls(section: Section, vhost: Directive, mounts: list[Route]) -> None:
    hls = read_hls(section)
    files = {"hls_m3u8_file": hls.hls_m3u8_file}
    files |= {"hls_fmp4_file": hls.hls_fmp4_file} if hls.hls_use_fmp4 else {"hls_ts_file": hls.hls_ts_file}
    for name, file in files.items():
        at = section.value(name) or section.directive or vhost
        route = Route(f"{name} {file}", _file_tokens(file, vhost.args[0]), None, at)
        for mount in mounts:
            lie = route.meet(mount)
            # A segment that exists is answered before a stream is looked for: something must be left.
            if lie and (name == "hls_m3u8_file" or not lie.second_only):
                raise route.refuse(mount, lie.path, f"give {name} a path that no mount matches")


def _file_tokens(file: str, vhost: str) -> Tokens:
    names = {"app": Variable.APP, "stream": Variable.STREAM}
    pieces = FILE_VARIABLES.split("/" + file.lstrip("/").replace("[vhost]", vhost))
    tokens = (names.get(piece, Variable.NUMBER) if at % 2 else piece for at, piece in enumerate(pieces))
    return tuple(token for token in tokens if token)


def _ended(tokens: Tokens) -> bool:
    """The paths that match all end in one of ENDINGS."""
    return isinstance(tokens[-1], str) and tokens[-1].endswith(ENDINGS)
