"""Where files are in the paths of URLs: `http_static` of vhosts, and the root of `http_server`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastflv.config.grammar.directive import Directive
from fastflv.config.grammar.problems import Problems, value_error
from fastflv.config.grammar.section import Value
from fastflv.config.model.vhost import DEFAULT_VHOST, Vhost


@dataclass(frozen=True, slots=True)
class FileMount:
    """A directory, and the paths below which its files are."""

    prefix: str
    "Begins and ends with a slash."

    folder: str
    "The directory; relative ones start where the server does."

    at: Value | Directive | None = None
    "Where it was written; None for the root of `http_server`."


def file_mounts(vhosts: Mapping[str, Vhost], root: str) -> dict[str, tuple[FileMount, ...]]:
    """Return the mounts of each vhost by name, in the order in which they are asked; "" stands for an unknown host.

    Its own come first, then those of any vhost whose `mount` begins with a slash and so names no host, then *root*, the
    directory of `http_server`. Raises ConfigValueError for a mount of another vhost.
    """
    own: dict[str, list[FileMount]] = {name: [] for name in vhosts}
    shared: list[FileMount] = []
    problems = Problems()
    for name, vhost in vhosts.items():
        if vhost.enabled and vhost.http_static.enabled:
            with problems.collected():
                mount, everywhere = _parse(vhost)
                (shared if everywhere else own[name]).append(mount)
    problems.raise_found()
    shared.append(FileMount("/", root))
    return {name: (*mounts, *shared) for name, mounts in own.items()} | {"": tuple(shared)}


def _parse(vhost: Vhost) -> tuple[FileMount, bool]:
    """Read `http_static` of *vhost*; return whether its mount counts for all hosts."""
    text, folder = vhost.http_static.mount, vhost.http_static.dir
    section = vhost.source.sub("http_static") if vhost.source is not None else None
    at = (section.value("mount") or section.directive) if section is not None else None
    host, _, path = text.partition("/")
    prefix = f"/{path.strip('/')}/".replace("//", "/")
    if host not in ("", "[vhost]", vhost.name) or "[" in path:
        raise value_error(
            at,
            f"http_static.mount {text} is not a path of vhost {vhost.name}",
            "write '[vhost]/' or '[vhost]/hls' for this vhost, '/' or '/hls' for all hosts",
        )
    return FileMount(prefix, folder, at), not host or vhost.name == DEFAULT_VHOST
