"""`http_remux { }`: live streams over HTTP and WebSocket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastflv import limits
from fastflv.config.grammar.section import Section, bounded
from fastflv.config.model.play import Play
from fastflv.config.mount import Mount

DEFAULT_MOUNT: Final = "[vhost]/[app]/[stream].flv"
"The mount of a block that writes none."


@dataclass(frozen=True, slots=True)
class HttpRemux:
    """`http_remux { }`: live streams over HTTP and WebSocket."""

    enabled: bool = False
    "Default off."

    mounts: tuple[str, ...] = (DEFAULT_MOUNT,)
    "`mount`: URL patterns, each once, as written; `parse_mounts` reads them. SRS takes one; fastflv several."

    fast_cache: float = bounded(0.0, 0.0)
    "Audio of this long for the start of an aac or mp3 player, seconds. Default 0, off."

    drop_if_not_match: bool = True
    "Leave out media of a kind that the head of the response did not announce. Default on."

    has_audio: bool = True
    "The head announces audio, where it is not guessed. Default on."

    has_video: bool = True
    "The head announces video, where it is not guessed. Default on."

    guess_has_av: bool = True
    "Announce what the stream has; off: what `has_audio` and `has_video` say. Default on."

    on_missing: float = bounded(limits.MISSING_STREAM_SECONDS, 0.0, 3600.0)
    "fastflv: how long a request waits for a stream that nobody publishes, before 404 with Retry-After, seconds; 0 = not at all. Default: the one of `play`."


def read_remux(section: Section, play: Play, vhost: str) -> HttpRemux:
    """Build `http_remux` of *vhost*; a mount that cannot be is a problem."""
    mounts: dict[str, None] = {}
    for value in section.values("mount", split=True):
        for index, text in enumerate(value.words):
            try:
                Mount.parse(text, vhost)
            except ValueError as error:
                section.problems.add(value.error(f"cannot be '{text}'", str(error), word=index))
                continue
            mounts[text] = None
    on_missing = section.number("on_missing", play.on_missing, 0.0, 3600.0)
    return section.fill(HttpRemux, mounts=tuple(mounts) or (DEFAULT_MOUNT,), on_missing=on_missing)
