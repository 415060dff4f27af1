"""Settings that are parsed and read by no code outside of the configuration, each with the reason.

UNUSED is exact: a test compares it with the attributes that the rest of the package reads. The change that makes
the package read a setting deletes its row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields
from enum import Enum
from typing import Any, Final

from fastflv.config.grammar.section import Section
from fastflv.config.model.server import Settings
from fastflv.config.model.vhost import Vhost
from fastflv.config.notice import NoticeKind


class Why(Enum):
    """How an operator learns that a setting does nothing by itself."""

    FEATURE = "it belongs to a feature that is named where it is switched on"
    WARNED = "a notice names it where it is written with another value than its default"
    DOCUMENTED = "docs/configure.md says so"
    FOLDED = "it counts through another setting, which is read"


@dataclass(frozen=True, slots=True)
class Unused:
    """One setting, or one block with all its settings."""

    path: str
    "Dotted path, as `vhost.play.mw_msgs`."

    why: Why
    "How an operator learns of it."

    text: str
    "FEATURE: name of the feature. FOLDED: the settings that are read. Else: what holds instead."

    matters: Callable[[Any], bool] = lambda block: True
    "WARNED: whether the value would change something elsewhere, beside the other settings of its block."


UNUSED: Final = (
    Unused(
        "pithy_print_ms",
        Why.WARNED,
        "a connection is logged when it begins and when it ends, not from time to time; /api/v1/clients has its counters",
    ),
    Unused(
        "vhost.play.mw_msgs",
        Why.WARNED,
        "media is merged by time alone; set mw_latency",
        lambda play: play.mw_latency != 0,
    ),
    Unused(
        "vhost.play.send_min_interval",
        Why.WARNED,
        "players are sent what is due in one piece; set pacing to spread a keyframe over time",
    ),
    Unused(
        "vhost.publish.try_annexb_first",
        Why.WARNED,
        "NAL units are taken for lengths where the lengths add up, for start codes otherwise",
    ),
    Unused("vhost.hls.hls_dts_directly", Why.WARNED, "segments keep the publisher's decode times"),
    Unused("vhost.publish.mr", Why.DOCUMENTED, "all that has arrived is always read at once"),
    Unused("vhost.publish.mr_latency", Why.DOCUMENTED, "all that has arrived is always read at once"),
    Unused("disable_daemon_for_docker", Why.FOLDED, "daemon"),
    Unused("vhost.min_latency", Why.FOLDED, "mw_latency"),
    Unused("vhost.play.queue_length", Why.FOLDED, "lag_jump"),
)
"Unread settings. A block in it stands for all of its settings."


def unused(path: str) -> Unused | None:
    """The row for the setting at the dotted *path* or for a block around it; None where the setting is read."""
    return next((row for row in UNUSED if path == row.path or path.startswith(f"{row.path}.")), None)


def survey_unused(settings: Settings, root: Section) -> None:
    """Write a notice at each setting of a WARNED row whose value would change something if it was read."""
    for row in UNUSED:
        if row.why is not Why.WARNED:
            continue
        path, _, name = row.path.rpartition(".")
        for section, block in _blocks(settings, root, path):
            at = section.value(name)
            if at is not None and getattr(block, name) != _default(block, name) and row.matters(block):
                root.notify(NoticeKind.NO_EFFECT, f"{row.path} has no effect: {row.text}", at)


def _blocks(settings: Settings, root: Section, path: str) -> Iterator[tuple[Section, Any]]:
    """Each block at *path*, as a section and as typed values; of disabled vhosts none."""
    head, _, rest = path.partition(".")
    if head == "vhost":
        for vhost in settings.vhosts.values():
            if vhost.enabled and vhost.source is not None:
                yield from _inner(vhost.source, vhost, rest)
    else:
        yield from _inner(root, settings, path)


def _inner(section: Section, block: Settings | Vhost, path: str) -> Iterator[tuple[Section, Any]]:
    yield (section.sub(path), getattr(block, path)) if path else (section, block)


def _default(block: Any, name: str) -> object:
    found = next(each.default for each in fields(block) if each.name == name)
    assert found is not MISSING
    return found
