"""The routes of a vhost in the order in which a request is compared with them, and the check of that table.

The API comes first, then clips, then what HLS has made, then the mounts, the most specific one first, then files.
Routes may overlap where this order says which of them takes a path. They may not where it does not, or where
nothing would be left of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from itertools import combinations, product
from typing import Final, NamedTuple

from fastflv.config.filemount import FileMount
from fastflv.config.grammar.directive import Directive
from fastflv.config.grammar.problems import Problems, value_error
from fastflv.config.grammar.section import Section, Value
from fastflv.config.hlsfiles import HlsFiles
from fastflv.config.model.server import Settings
from fastflv.config.model.vhost import Vhost
from fastflv.config.mount import ENDINGS, Mount, parse_mounts
from fastflv.config.overlap import Overlap
from fastflv.config.template import PathTemplate
from fastflv.errors import ConfigValueError

API_PREFIX: Final = "/api/"
"The API answers all paths that begin so, on its own ports and on shared ones."

HEALTH_PATHS: Final = ("/healthz", "/readyz")
"Of the API too, and answered on every HTTP port but the exporter's: a balancer probes the port that it sends clients to."

API_PATHS: Final = ("/metrics", *HEALTH_PATHS)
"Further paths of the API."

RECORD_PREFIX: Final = "/flv/record/"
"Streams in the recording API."

RECORDINGS: Final = "/api/v1/recordings"
"Files in the recording API."

CLIP_PREFIX: Final = "/clip/"
CLIP_ENDINGS: Final = ("flv", "mp4", "ts")
"Containers of clips."

WINDOW_SEGMENT: Final = PathTemplate.parse(f"{CLIP_PREFIX}[app]/[stream]/[seq].m4s", "")
WINDOW_INIT: Final = PathTemplate.parse(f"{CLIP_PREFIX}[app]/[stream]/init-[seq].m4s", "")
"Segments of playlists with `?window=`, and their initialisation sections."

PAGE_FILES: Final = "/pages/"
"What pages load, each with a hash of its content in its name."

PLAYERS: Final = "/players/"
STREAMS_JSON: Final = f"{PLAYERS}streams.json"
"What the pages are told of live streams."

CONSOLE: Final = "/console/"

PROBE_PATH: Final = "/api/v1/versions"
"Answered on the ports of `http_server` even where the API has others, as in SRS: load balancers probe it."


class RouteKind(Enum):
    """What answers a route's requests."""

    API = "api"
    RECORD = "record"
    "The recording API."
    PLAYLIST = "playlist"
    SEGMENT = "segment"
    "Takes a path only when that segment exists; else the next route is asked."
    KEY = "key"
    MOUNT = "mount"
    PAGE = "page"
    "`/`, the player and what they load. Takes a path of the latter only when npm has built that file; else the next route is asked."
    CONSOLE = "console"
    "The console on a port of the API; likewise."
    NUMBER = "number"
    "`/0`, `/1` and so on: the streams of `flv_tcp`, as FLV."
    CLIP = "clip"
    "Takes a path only when the query names a part of the past; else the next route is asked."
    WINDOW = "window"
    "Takes a path only when that segment of the past is known; else the next route is asked."
    FILES = "files"
    "Takes a path only when that file exists; a mount or a playlist without a stream asks for a file too."


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table."""

    kind: RouteKind
    "What answers."

    what: str
    "The route as it was written, for messages."

    templates: tuple[PathTemplate, ...] = ()
    "Templates of its paths; of a mount just the one with the ending."

    prefix: str = ""
    "Text before all further paths of the route; empty where there are none."

    mount: Mount | None = None
    "The mount of a route of this kind."

    app: str = ""
    "Application of the streams of a route that has none in its paths."

    folder: str = ""
    "Directory of the files of a route of that kind; its paths are those behind `prefix`."

    at: Value | Directive | None = None
    "Where it was written, or the block around where it was not; None for a vhost that no file has."

    paths: tuple[str, ...] = ()
    "Paths of a route of pages, beside those that begin with `prefix`."

    def match(self, path: str) -> dict[str, str] | None:
        """Return the names in *path*, or None when the route is not for it. Takes time linear in the length of *path*.

        The names of a stream are `app` and `stream`; a route of the API or of files has none.
        """
        if path in self.paths:
            return {}
        if self.kind is RouteKind.NUMBER:
            found = self.templates[0].match(path)
            return {"app": self.app, "stream": found["seq"]} if found is not None else None
        if self.prefix and path.startswith(self.prefix):
            return {}
        if self.kind is RouteKind.API:
            return next((found for each in self.templates if (found := each.match(path)) is not None), None)
        if self.mount is not None:
            names = self.mount.match(path)
        else:
            found_in = (each.stream_of(path) for each in self.templates)
            names = next((found for found in found_in if found is not None), None)
        return {"app": names[0], "stream": names[1]} if names is not None else None

    @property
    def place(self) -> str:
        """File and line, for messages about another route."""
        return self.at.place if self.at else "built in"


RECORD_API: Final = (
    Route(RouteKind.RECORD, "the recording API", prefix=RECORD_PREFIX),
    Route(RouteKind.RECORD, "the recording API", prefix=RECORDINGS),
)
"Asked before the rest of the API."

WHOLE_API: Final = (
    *RECORD_API,
    Route(RouteKind.API, "the API", prefix="/"),
)
"The table of ports that the API has to itself."


def page_routes(settings: Settings) -> tuple[Route, ...]:
    """The routes of pages on the ports of `http_server`. Asked first: they match few paths."""
    api, paths = settings.http_api, ["/", PLAYERS[:-1], PLAYERS, STREAMS_JSON]
    if settings.api_shared:
        first = console_routes(settings)
    else:
        first = ()
        if api.enabled and api.console:
            # Answered with the way to the port of the API.
            paths += [CONSOLE[:-1], CONSOLE]
    if not settings.http_server.pages:
        return first
    return (*first, Route(RouteKind.PAGE, "the pages", paths=tuple(paths), prefix=PAGE_FILES))


def console_routes(settings: Settings) -> tuple[Route, ...]:
    """The routes of the console on the ports of the API."""
    if not settings.http_api.console:
        return ()
    return (Route(RouteKind.CONSOLE, "the console", paths=(CONSOLE[:-1], CONSOLE), prefix=PAGE_FILES),)


class PlayPath(NamedTuple):
    """A path at which a stream may be played."""

    container: str
    "As a mount has it; `hls` for a playlist."

    path: str

    args: dict[str, str]
    "Of the mount."


def play_paths(routes: Iterable[Route], app: str, stream: str) -> Iterator[PlayPath]:
    """The paths of a stream on *routes*, mounts first. A template without [app] or [stream] is of another stream."""
    names = {"app": app, "stream": stream}
    found = []
    for route in routes:
        if route.mount is not None:
            found.append(PlayPath(route.mount.container, route.mount.example(app, stream), route.mount.args))
        elif route.kind is RouteKind.PLAYLIST:
            found.append(PlayPath("hls", route.templates[0].fill(**names), {}))
    by_path = {each.path: each for each in found}
    for each in sorted(by_path.values(), key=lambda each: each.container == "hls"):
        # The first route that matches takes the path.
        taken = next((route for route in routes if route.match(each.path) is not None), None)
        if taken is not None and taken.match(each.path) == names:
            yield each


def routes_of(
    vhost: Vhost, *, api_shared: bool, files: Iterable[FileMount] = (), numbered: str = ""
) -> tuple[Route, ...]:
    """The routes of *vhost* in the order in which they are asked.

    *api_shared*: the API answers on the ports of the HTTP server. *files*: those of `file_mounts`. *numbered*:
    as `Settings.numbered_app` has it.
    """
    record = RECORD_API if api_shared or vhost.record_api else ()
    return (
        *record, _api(vhost, api_shared), *_clips(vhost), *_hls(vhost), *_mounts(vhost), *_numbers(vhost, numbered),
        *_files(files),
    )  # fmt: skip


def with_former(routes: tuple[Route, ...], former: Iterable[HlsFiles]) -> tuple[Route, ...]:
    """Return *routes* with those of HLS files that running streams kept over a reload, before the mounts."""
    kept = [route for files in former for _, route in _hls_routes(files)]
    if not kept:
        return routes
    behind = (RouteKind.MOUNT, RouteKind.NUMBER, RouteKind.FILES)
    last = tuple(route for route in routes if route.kind in behind)
    return (*routes[: len(routes) - len(last)], *kept, *last)


def check_routes(
    vhost: Vhost,
    problems: Problems,
    *,
    api_shared: bool,
    files: Iterable[FileMount] = (),
    numbered: str = "",
) -> None:
    """Add a ConfigValueError for each two routes of *vhost* between which their order does not decide."""
    routes = routes_of(vhost, api_shared=api_shared, files=files, numbered=numbered)
    for first, second in combinations(routes, 2):
        with problems.collected():
            _check_pair(first, second)


def _check_pair(first: Route, second: Route) -> None:
    if first.kind is RouteKind.API:
        _check_behind_api(first, second)
    elif second.kind is RouteKind.KEY:
        _check_key(first, second)
    elif second.mount is None:
        return
    elif first.mount is not None:
        _check_mounts(first, second, first.mount, second.mount)
    else:
        found = _overlap(first, second)
        # A segment that exists is answered before a stream is looked for: something must be left.
        if found and (first.kind is RouteKind.PLAYLIST or not found.second_only):
            name = first.what.partition(" ")[0]
            raise _refused(first, second, found.path, f"give {name} a path that no mount matches")


def _check_key(other: Route, key: Route) -> None:
    found = _overlap(other, key)
    if found:
        raise _refused(key, other, found.path, "give hls_key_file a path of its own")


def _api(vhost: Vhost, shared: bool) -> Route:
    paths = API_PATHS if shared else (PROBE_PATH, *HEALTH_PATHS)
    templates = tuple(PathTemplate.parse(path, vhost.name) for path in paths)
    return Route(RouteKind.API, "the API", templates, API_PREFIX if shared else "")


def _clips(vhost: Vhost) -> Iterator[Route]:
    if vhost.timeshift.window > 0:
        paths = (f"{CLIP_PREFIX}[app]/[stream].{ending}" for ending in CLIP_ENDINGS)
        templates = tuple(PathTemplate.parse(path, vhost.name) for path in paths)
        at = _place(vhost, "timeshift", "window")
        yield Route(RouteKind.CLIP, "clips of timeshift", templates, at=at)
        if vhost.hls.enabled:
            yield Route(RouteKind.WINDOW, "segments of timeshift", (WINDOW_SEGMENT, WINDOW_INIT), at=at)


def _hls(vhost: Vhost) -> Iterator[Route]:
    hls = vhost.hls
    if not hls.enabled:
        return
    files = HlsFiles.parse(
        vhost.name,
        playlist=hls.hls_m3u8_file,
        ts=hls.hls_ts_file,
        mp4=hls.hls_fmp4_file,
        init=hls.hls_init_file,
        key=hls.hls_key_file,
        serves_keys=hls.hls_keys and not hls.hls_key_file_path,
    )
    for name, route in _hls_routes(files):
        yield replace(route, what=f"{name} {getattr(hls, name)}", at=_place(vhost, "hls", name))


def _hls_routes(files: HlsFiles) -> Iterator[tuple[str, Route]]:
    """The routes of HLS files, with the directive of each."""
    for kind, name, template in (
        (RouteKind.PLAYLIST, "hls_m3u8_file", files.playlist),
        (RouteKind.SEGMENT, "hls_ts_file", files.ts),
        (RouteKind.SEGMENT, "hls_fmp4_file", files.mp4),
        (RouteKind.SEGMENT, "hls_init_file", files.init),
    ):
        yield name, Route(kind, name, (template,))
    if files.serves_keys:
        yield "hls_key_file", Route(RouteKind.KEY, "hls_key_file", (files.key,))


def _mounts(vhost: Vhost) -> Iterator[Route]:
    remux = vhost.http_remux
    if not remux.enabled:
        return
    words: dict[str, Value] = {}
    for value in _block(vhost, "http_remux").values("mount", split=True) if vhost.source else ():
        for index, word in enumerate(value.words):
            words.setdefault(word, value.only(index))
    for mount in parse_mounts(remux.mounts, vhost.name):
        at = words.get(mount.text) or _place(vhost, "http_remux", "mount")
        yield Route(RouteKind.MOUNT, f"mount {mount.text}", (mount.template,), mount=mount, at=at)


def _numbers(vhost: Vhost, app: str) -> Iterator[Route]:
    if app and vhost.http_remux.enabled:
        what = f"the streams of flv_tcp, app {app}, by number"
        yield Route(RouteKind.NUMBER, what, (PathTemplate.parse("/[seq]", vhost.name),), app=app)


def _files(mounts: Iterable[FileMount]) -> Iterator[Route]:
    for mount in mounts:
        what = f"files of {mount.folder} at {mount.prefix}"
        yield Route(RouteKind.FILES, what, prefix=mount.prefix, folder=mount.folder, at=mount.at)


def _block(vhost: Vhost, name: str) -> Section:
    assert vhost.source is not None
    return vhost.source.sub(name)


def _place(vhost: Vhost, block: str, name: str) -> Value | Directive | None:
    """Where *name* was written, or the nearest block around it."""
    if vhost.source is None:
        return None
    section = _block(vhost, block)
    return section.value(name) or section.directive or vhost.directive


def _check_behind_api(api: Route, other: Route) -> None:
    taken = ""
    begins = other.templates[0].head if other.templates else other.prefix
    if api.prefix and begins.startswith(api.prefix):
        taken = f"below {api.prefix}"
    for template, its in product(api.templates, other.templates[:1]):
        found = template.overlap(its)
        if found.path and not found.second_only:
            taken = found.path
    if taken:
        raise value_error(
            other.at,
            f"{other.what} is never reached: the API answers {taken} on the same port",
            "give it another path, or the API another port",
        )


def _check_mounts(first: Route, second: Route, one: Mount, other: Mount) -> None:
    if one.rank != other.rank or one.args == other.args:
        return
    found = _overlap(first, second)
    if found:
        # Mounts of one rank stand in the order in which they were written.
        raise _refused(second, first, found.path, "give one of them a path that the other does not match")


def _overlap(one: Route, other: Route) -> Overlap | None:
    """How *one* and *other* overlap; None where they do not."""
    for mine, its in _pairs(one, other):
        found = mine.overlap(its)
        if found.path:
            return found
    return None


def _pairs(one: Route, other: Route) -> Iterator[tuple[PathTemplate, PathTemplate]]:
    """The templates of both that can meet. A path with an ending of ENDINGS never matches one without."""
    for mine in one.templates:
        yield from ((mine, its) for its in other.templates)
        if other.mount and other.mount.optional and not _ended(mine):
            yield mine, other.mount.bare
    if one.mount and one.mount.optional and other.mount and other.mount.optional:
        yield one.mount.bare, other.mount.bare


def _ended(template: PathTemplate) -> bool:
    """All paths of *template* end in one of ENDINGS."""
    return (
        bool(template.tokens)
        and isinstance(template.tokens[-1], str)
        and template.tokens[-1].endswith(ENDINGS)
    )


def _refused(at: Route, other: Route, path: str, hint: str) -> ConfigValueError:
    """The error at the route *at*, which takes a path of *other*."""
    return value_error(at.at, f"{at.what} and {other.what} ({other.place}) both take {path}", hint)
