"""`dvr { }`: recording."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fastflv.config.grammar.section import bounded
from fastflv.config.model.files import HTML_DIR
from fastflv.config.model.play import TimeJitter


class DvrPlan(Enum):
    """When a recording ends."""

    SESSION = "session"
    SEGMENT = "segment"


@dataclass(frozen=True, slots=True)
class Dvr:
    """`dvr { }`: recording."""

    enabled: bool = False
    "Default off."

    dvr_apply: tuple[str, ...] = ("all",)
    "`all`, or streams as app/stream."

    dvr_plan: DvrPlan = DvrPlan.SESSION
    "session: one file a publish; segment: cut by `dvr_duration`. Default session."

    dvr_path: str = f"{HTML_DIR}/[app]/[stream].[timestamp].flv"
    "Path of a file, with variables; the ending picks the container."

    dvr_duration: int = bounded(30, 1)
    "Length of a segment, seconds. Default 30."

    dvr_wait_keyframe: bool = True
    "Cut at keyframes. Default on."

    time_jitter: TimeJitter = TimeJitter.FULL
    "Default full."
