"""What fastflv leaves to others.

FEATURES is the one table to edit when a feature arrives: delete its rows. What has no row is
supported. A row speaks only when its feature is switched on, once per feature however many vhosts
do so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from fastflv.config.grammar.section import Section, Value
from fastflv.config.notice import NoticeKind

ON: Final = (("enabled", "on"),)

REPEATED: Final = frozenset({"ingest", "stream_caster", "transcode"})
"Blocks that may stand several times; of any other, only the first counts."


@dataclass(frozen=True, slots=True)
class Feature:
    """A part of SRS that is ignored when it is switched on."""

    name: str
    "What the notice calls it; rows of one name make one notice."

    path: str
    "Dotted path of its block; empty for the root."

    when: tuple[tuple[str, str], ...] = ON
    "(directive, pattern) pairs that all hold when it is on; a pattern with ``!`` in front must not match."


FEATURES: Final = (
    # Out of scope: other protocols, transcoding, vendors' clouds, removed parts of SRS.
    Feature("rtc", "rtc_server"),
    Feature("rtc", "vhost.rtc"),
    Feature("srt", "srt_server"),
    Feature("srt", "vhost.srt"),
    Feature("rtsp", "rtsp_server"),
    Feature("rtsp", "vhost.rtsp"),
    Feature("gb28181", "stream_caster", (("enabled", "on"), ("caster", "gb28181"))),
    Feature("mpegts_over_udp", "stream_caster", (("enabled", "on"), ("caster", "mpegts_over_udp"))),
    Feature("dash", "vhost.dash"),
    Feature("hds", "vhost.hds"),
    Feature("ingest", "vhost.ingest"),
    Feature("transcode", "vhost.transcode"),
    Feature("exec", "vhost.exec"),
    Feature("bandcheck", "vhost.bandcheck"),
    Feature("raw_api allow_query", "http_api.raw_api", (("allow_query", "on"),)),
    Feature("raw_api allow_update", "http_api.raw_api", (("allow_update", "on"),)),
    Feature("circuit_breaker", "circuit_breaker"),
    Feature("tencentcloud_apm", "tencentcloud_apm"),
    Feature("tencentcloud_cls", "tencentcloud_cls"),
)

SENTENCE: Final = "{} is outside of what fastflv does and is ignored"


def survey(root: Section) -> None:
    """Write one notice for each feature of the table that is switched on under *root*."""
    seen: set[str] = set()
    for feature in FEATURES:
        if feature.name in seen:
            continue
        for section in _sections(root, feature.path):
            matches = [_matching(section, name, pattern) for name, pattern in feature.when]
            if all(matches):
                at = next(value for value in matches if isinstance(value, Value))
                root.notify(NoticeKind.NEVER, SENTENCE.format(feature.name), at, feature.name)
                seen.add(feature.name)
                break


def _sections(root: Section, path: str) -> Iterator[Section]:
    """The blocks at *path* that count; of disabled vhosts none."""
    if not path:
        yield root
        return
    head, _, rest = path.partition(".")
    if head == "vhost":
        for vhost in root.subs("vhost"):
            if vhost.flag("enabled", True):
                yield from _sections(vhost, rest)
    elif head in REPEATED:
        yield from root.subs(head)
    else:
        yield from _sections(root.sub(head), rest)


def _matching(section: Section, name: str, pattern: str) -> Value | bool:
    """The value of *name* if it fits *pattern*; True where a value that is not given does."""
    value = section.value(name)
    word = value.words[0] if value else ""
    if pattern.startswith("!"):
        return not fnmatchcase(word, pattern[1:])
    return value if value and fnmatchcase(word, pattern) else False
