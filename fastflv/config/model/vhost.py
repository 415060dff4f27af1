"""What one vhost does: how it plays, takes publishers and serves over HTTP.

Fields are called as their directives; where no directive is written, a field has its default.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import Final

from fastflv import limits
from fastflv.config.grammar.directive import Directive
from fastflv.config.grammar.section import Section, bounded
from fastflv.config.model.service import (
    Cluster,
    Dvr,
    Forward,
    Hls,
    Hooks,
    HttpStatic,
    Refer,
    Security,
    TimeJitter,
    read_hls,
    read_security,
)
from fastflv.config.notice import NoticeKind
from fastflv.config.pattern import parse_pattern
from fastflv.errors import ConfigValueError

DEFAULT_VHOST: Final = "__defaultVhost__"
"The vhost for requests whose name no vhost has."

DEFAULT_MOUNT: Final = "[vhost]/[app]/[stream].flv"


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
    "Put audio and video into the order of their times. Default off."

    atc: bool = False
    "Keep the publisher's absolute times. Default off."

    atc_auto: bool = False
    "Turn `atc` on for a stream whose metadata holds `bravo_atc`. Default off."

    mw_latency: int | None = None
    "How long media is merged into one send, milliseconds; None: as the load asks for. Default auto (SRS: 350); 0 where `min_latency` is on."

    mw_msgs: int = bounded(8, 0)
    "Send earlier once this many messages wait; at most 128. Default 8; 0 where `min_latency` is on."

    pacing: int = bounded(0, 0, 100_000)
    "fastflv: the kernel sends a player no faster than this part of the stream's rate, percent, once its start is out. Default 0, off."

    send_min_interval: float = bounded(0.0, 0.0)
    "Least time between two messages to an RTMP player, milliseconds. Default 0, off."

    reduce_sequence_header: bool = False
    "Leave out a sequence header that repeats the last one. Default off."

    live_clock: bool = False
    "fastflv: a script tag before each keyframe that says when it was taken in and written. Default off."

    on_missing: float = bounded(limits.MISSING_STREAM_SECONDS, 0.0, 3600.0)
    "fastflv: how long a player waits for a stream that nobody publishes, seconds; 0 = not at all. Default 5."


@dataclass(frozen=True, slots=True)
class Publish:
    """`publish { }`: publishers."""

    mr: bool = False
    "Merged reading. Taken for SRS's sake; fastflv always reads what is there. Default off."

    mr_latency: int = bounded(350, 0)
    "Milliseconds for `mr`. Default 350."

    firstpkt_timeout: int = bounded(20_000, 1)
    "Time from publish to the first audio or video, milliseconds. Default 20000."

    normal_timeout: int = bounded(5000, 1)
    "Silence after which a publisher is disconnected, milliseconds. Default 5000."

    parse_sps: bool = True
    "Read size and profile from the stream for the API. Default on."

    try_annexb_first: bool = True
    "Try start codes before lengths when NAL units are split. Default on."

    kickoff_for_idle: float = bounded(0.0, 0.0)
    "Disconnect a publisher that nobody plays for this long, seconds. Default 0, off."

    grace: float = bounded(limits.PUBLISH_GRACE_SECONDS, 0.0, 3600.0)
    "fastflv: how long players stay after the publisher left, for its return, seconds. Default 5."


@dataclass(frozen=True, slots=True)
class HttpRemux:
    """`http_remux { }`: live streams over HTTP and WebSocket."""

    enabled: bool = False
    "Default off."

    mounts: tuple[str, ...] = (DEFAULT_MOUNT,)
    "`mount`: URL patterns, each once, as written; `parse_pattern` reads them. SRS takes one; fastflv several."

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


@dataclass(frozen=True, slots=True)
class Vhost:
    """`vhost NAME { }`. Nothing is inherited from another vhost, not even from the default one."""

    name: str = DEFAULT_VHOST
    "Domain, IP address or `__defaultVhost__`."

    enabled: bool = True
    "Off: the name is refused; it does not fall back to the default vhost. Default on."

    chunk_size: int | None = None
    "Outgoing RTMP chunk size after connect, bytes, 1 to 16777215. None = the server's."

    min_latency: bool = False
    "Realtime: no merging unless `mw_latency` says so. Default off."

    tcp_nodelay: bool = False
    "TCP_NODELAY on the vhost's connections. Default off."

    in_ack_size: int = bounded(0, 0, 0xFFFFFFFF)
    "Bytes after which fastflv acknowledges what it received; 0 = what the peer announced. Default 0."

    out_ack_size: int = bounded(limits.ACK_WINDOW_BYTES, 0, 0xFFFFFFFF)
    "Window Acknowledgement Size announced at connect, bytes. Default 2500000."

    play: Play = field(default_factory=Play)
    "Delivery to players."

    publish: Publish = field(default_factory=Publish)
    "Publishers."

    http_remux: HttpRemux = field(default_factory=HttpRemux)
    "Live streams over HTTP and WebSocket."

    http_static: HttpStatic = field(default_factory=HttpStatic)
    "Files."

    http_hooks: Hooks = field(default_factory=Hooks)
    "Callbacks."

    refer: Refer = field(default_factory=Refer)
    "Pages that may embed."

    security: Security = field(default_factory=Security)
    "Addresses that may publish and play."

    forward: Forward = field(default_factory=Forward)
    "Pushing to other servers."

    cluster: Cluster = field(default_factory=Cluster)
    "Origin or edge."

    dvr: Dvr = field(default_factory=Dvr)
    "Recording."

    hls: Hls = field(default_factory=Hls)
    "Segments and playlists."

    directive: Directive | None = field(default=None, compare=False, repr=False)
    "The block as it was parsed, legacy spellings rewritten."


def read_vhost(section: Section) -> Vhost:
    """Build the vhost of *section*; raise ConfigValueError where a value cannot be."""
    directive = section.directive
    assert directive is not None
    if len(directive.args) != 1:
        raise ConfigValueError(
            "a vhost has one name", file=directive.file, line=directive.line, hint="write 'vhost NAME { … }'"
        )
    play = read_play(section)
    return section.fill(
        Vhost,
        name=directive.args[0],
        chunk_size=read_chunk_size(section, 0) or None,
        play=play,
        publish=section.sub("publish").fill(Publish),
        http_remux=read_remux(section.sub("http_remux"), play, directive.args[0]),
        http_static=section.sub("http_static").fill(HttpStatic),
        http_hooks=section.sub("http_hooks").fill(Hooks),
        refer=section.sub("refer").fill(Refer),
        security=read_security(section.sub("security")),
        forward=section.sub("forward").fill(Forward),
        cluster=section.sub("cluster").fill(Cluster),
        dvr=section.sub("dvr").fill(Dvr),
        hls=read_hls(section.sub("hls")),
        directive=directive,
    )


def read_chunk_size(section: Section, default: int) -> int:
    """Read `chunk_size` of *section*: bytes; outside of the advised range with a notice."""
    size = section.integer("chunk_size", default, 1, limits.CHUNK_BYTES_IN_MAX)
    low, high = limits.CHUNK_BYTES_ADVISED
    if size != default and not low <= size <= high:
        at = section.value("chunk_size")
        section.notify(NoticeKind.ADVICE, f"chunk_size {size} should be from {low} to {high}", at)
    return size


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
        raise found.error(
            f"cannot be {pacing}",
            f"percent of the stream's rate: {limits.PACE_PERCENT_MIN} or more, 0 for off",
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
    """Read the steps for players that lag; raise ConfigValueError where they do not rise."""
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
            raise at.error(
                f"makes {low} {steps[low]} more than {high} {steps[high]}",
                "a player lags through lag_drop, lag_jump and lag_close in that order: let them rise",
            )
    return steps


def read_remux(section: Section, play: Play, vhost: str) -> HttpRemux:
    """Build `http_remux` of *vhost*; raise ConfigValueError for a mount that cannot be."""
    mounts: dict[str, None] = {}
    for value in section.values("mount", split=True):
        for mount in value.words:
            try:
                parse_pattern(mount, vhost)
            except ValueError as error:
                raise value.error(f"cannot be '{mount}'", str(error)) from None
            mounts[mount] = None
    on_missing = section.number("on_missing", play.on_missing, 0.0, 3600.0)
    return section.fill(HttpRemux, mounts=tuple(mounts) or (DEFAULT_MOUNT,), on_missing=on_missing)
