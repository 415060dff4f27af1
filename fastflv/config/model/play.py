"""`play { }`: delivery to players of any protocol."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from fastflv import limits
from fastflv.config.grammar.section import Section, bounded
from fastflv.config.notice import NoticeKind


class StartMode(Enum):
    """Media that a player is sent before it follows the live stream (`play { start }`, `?start=`)."""

    COMPACT = "compact"
    "The newest GOP with its timestamps compressed into the last moments: a picture at once, and no remaining delay."

    GOP = "gop"
    "The newest GOP at its own pace, as SRS: a picture at once, and a delay of up to one GOP that stays."

    KEY = "key"
    "Nothing until the next keyframe."

    LIVE = "live"
    "Sequence headers, then live media: sound at once, undecodable pictures until the next keyframe."


class TimeJitter(Enum):
    """How the times of a stream are repaired."""

    FULL = "full"
    ZERO = "zero"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Play:
    """`play { }`: delivery to players of any protocol."""

    gop_cache: bool = True
    "Keep the frames since the last keyframe for the start of a player. Default on."

    gop_cache_max_frames: int = bounded(2500, 0)
    "Frames the cache may hold; over it, the cache is emptied. 0 = no limit. Default 2500."

    gop_cache_max_bytes: int = bounded(limits.GOP_BYTES_MAX, 0)
    "fastflv: bytes the cache may hold, 0 = no limit of its own. Default 16 MiB."

    start: StartMode = StartMode.COMPACT
    "fastflv: what a player gets first. Default compact (SRS: what `gop` does here)."

    start_burst_max_ms: int = bounded(0, 0)
    "fastflv: media that a player is sent at once at its start, milliseconds, at most. Default 0, no limit."

    start_burst_max_bytes: int = bounded(0, 0)
    "fastflv: likewise in bytes. Default 0, no limit but that of the cache."

    lag_drop: int = bounded(limits.LAG_DROP_MS, 1)
    "fastflv: lag of a slow player before pictures that no other refers to are left out, milliseconds. Default 1000."

    lag_jump: int = bounded(limits.LAG_JUMP_MS, 1)
    "fastflv: lag before it goes on at the newest keyframe, milliseconds. Default: `queue_length`, or 5000."

    lag_close: int = bounded(limits.LAG_CLOSE_MS, 1)
    "fastflv: lag before it is closed, milliseconds. Default 30000, or the double of `lag_jump` where that is more."

    queue_length: int = bounded(30, 1)
    "SRS's spelling of `lag_jump`, in seconds; counts where it is written. Default 30."

    time_jitter: TimeJitter = TimeJitter.FULL
    "full: monotonic time from 0; zero: subtract the first time; off: as published. Default full."

    mix_correct: bool = False
    "Put audio and video into the order of their times; what is ahead waits for the other. Default off: as they arrive."

    atc: bool = False
    "Keep the publisher's absolute times. Default off."

    atc_auto: bool = False
    "Turn `atc` on for a stream whose metadata holds `bravo_atc`. Default off."

    mw_latency: int | None = None
    "How long media is merged into one send, milliseconds; None: as the load asks for. Default auto (SRS: 350); 0 where `min_latency` is on."

    mw_msgs: int = bounded(8, 0)
    "No effect: media is merged by time alone. At most 128. Default 8; 0 where `min_latency` is on."

    pacing: int = bounded(0, 0, 100_000)
    "fastflv: the kernel sends a player no faster than this part of the stream's rate, percent, once its start is out. Default 0, off."

    send_min_interval: float = bounded(0.0, 0.0)
    "No effect: players are sent what is due in one piece. SRS: least time between two messages to an RTMP player, ms. Default 0."

    reduce_sequence_header: bool = False
    "Leave out a sequence header that repeats the last one. Default off."

    live_clock: bool = False
    "fastflv: a script tag before each keyframe that says when it was taken in and written. Default off."

    on_missing: float = bounded(limits.MISSING_STREAM_SECONDS, 0.0, 3600.0)
    "fastflv: how long a player waits for a stream that nobody publishes, seconds; 0 = not at all; HLS and RTMP go by it. Default 5."


def read_play(vhost: Section) -> Play:
    section = vhost.sub("play")
    realtime = vhost.flag("min_latency", False)
    messages = section.integer("mw_msgs", 0 if realtime else Play().mw_msgs)
    if messages > limits.MW_MSGS_MAX:
        section.notify(
            NoticeKind.ADVICE, f"mw_msgs is at most {limits.MW_MSGS_MAX}", section.value("mw_msgs")
        )
        messages = limits.MW_MSGS_MAX
    given: dict[str, int | None] = {"mw_msgs": messages, "mw_latency": read_window(section, realtime)}
    pacing = section.integer("pacing", 0, 0, 100_000)
    if 0 < pacing < limits.PACE_PERCENT_MIN:
        found = section.value("pacing")
        assert found is not None
        section.problems.add(
            found.error(
                f"cannot be {pacing}",
                f"percent of the stream's rate: {limits.PACE_PERCENT_MIN} or more, 0 for off",
            )
        )
    given |= read_lag(section)
    return section.fill(Play, **given)


def read_window(section: Section, realtime: bool) -> int | None:
    """Read `mw_latency`: milliseconds; None for `auto`, and where nothing is written unless *realtime*."""
    found = section.word("mw_latency")
    if found is None:
        return 0 if realtime else None
    return None if found.words[0] == "auto" else section.integer("mw_latency", 0, 0, 60_000)


def read_lag(section: Section) -> dict[str, int]:
    """Read the steps for players that lag; steps that do not rise are a problem."""
    jump = section.integer("lag_jump", Play().lag_jump, 1)
    if section.value("queue_length") is not None and section.value("lag_jump") is None:
        jump = 1000 * section.integer("queue_length", Play().queue_length, 1)
    steps = {
        "lag_drop": section.integer("lag_drop", min(Play().lag_drop, jump), 1),
        "lag_jump": jump,
        "lag_close": section.integer("lag_close", max(Play().lag_close, 2 * jump), 1),
    }
    for low, high in pairwise(steps):
        at = section.value(low) or section.value(high)
        if at is not None and steps[low] > steps[high]:
            section.problems.add(
                at.error(
                    f"makes {low} {steps[low]} more than {high} {steps[high]}",
                    "a player lags through lag_drop, lag_jump and lag_close in that order: let them rise",
                )
            )
    return steps
