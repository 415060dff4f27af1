"""Spellings of SRS 1 to 6, rewritten to today's before anything is checked; each with a notice.

As in SRS, the old spelling wins over a new one that is written beside it, and of two old ones the
last wins: whoever still has both in a file has run with that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fastflv.config.grammar.directive import Directive
from fastflv.config.notice import Notice, NoticeKind

MOVED: Final[dict[str, tuple[str, str]]] = {
    **{
        name: ("play", name)
        for name in (
            "time_jitter",
            "mix_correct",
            "atc",
            "atc_auto",
            "mw_latency",
            "gop_cache",
            "gop_cache_max_frames",
            "queue_length",
            "send_min_interval",
            "reduce_sequence_header",
        )
    },
    **{name: ("cluster", name) for name in ("mode", "origin", "token_traverse", "vhost", "debug_srs_upnode")},
    "publish_1stpkt_timeout": ("publish", "firstpkt_timeout"),
    "publish_normal_timeout": ("publish", "normal_timeout"),
    "refer": ("refer", "all"),
    "refer_play": ("refer", "play"),
    "refer_publish": ("refer", "publish"),
    "forward": ("forward", "destination"),
}
"Statements of a vhost, and the block and name that they have today."

SWITCHED_ON: Final = frozenset({"refer", "forward"})
"Blocks that have an `enabled` today, which their old statements did not need."

UNPACKED: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "mr": ("publish", {"enabled": "mr", "latency": "mr_latency"}),
    "nack": ("rtc", {"enabled": "nack", "no_copy": "nack_no_copy"}),
    "twcc": ("rtc", {"enabled": "twcc"}),
}
"Blocks of a vhost whose statements stand in another block today, by what name."

DROPPED: Final[dict[str, frozenset[str]]] = {
    "rtc_server": frozenset({"perf_stat", "queue_length"}),
    "stream_caster": frozenset(
        {
            "audio_enable",
            "auto_create_channel",
            "rtp_idle_timeout",
            "rtp_port_max",
            "rtp_port_min",
            "tcp_enable",
            "wait_keyframe",
        }
    ),
    "sip": frozenset(
        {
            "ack_timeout",
            "auto_play",
            "invite_port_fixed",
            "keepalive_timeout",
            "query_catalog_interval",
            "realm",
            "serial",
        }
    ),
    "hls": frozenset({"hls_storage", "hls_mount"}),
}
"Statements, by block, that have no effect any more."


def rewrite(root: Directive, notices: list[Notice]) -> Directive:
    """Return *root* in today's spelling; append a notice for each change. Places stay the old statement's."""
    children = []
    for child in root.children:
        if child.name == "http_stream":
            child = _renamed(child, "http_server", "http_stream", "http_server", notices)
        if child.name == "vhost":
            child = _vhost(child, notices)
        elif child.name == "stream_caster":
            child = _caster(child, notices)
        elif child.name == "rtc_server":
            child = _pruned(child, notices)
        elif child.name == "srt_server":
            child = _with_renamed(child, {"tlpkdrop": "tlpktdrop"}, notices)
        children.append(child)
    return replace(root, children=tuple(children))


def _notify(notices: list[Notice], at: Directive, old: str, new: str) -> None:
    text = f"{old} is written {new} today" if new else f"{old} has no effect"
    notices.append(Notice(NoticeKind.LEGACY, text, at.file, at.line, at.column))


def _renamed(at: Directive, name: str, old: str, new: str, notices: list[Notice]) -> Directive:
    _notify(notices, at, old, new)
    return replace(at, name=name)


def _with_renamed(parent: Directive, new: dict[str, str], notices: list[Notice]) -> Directive:
    return replace(
        parent,
        children=tuple(
            _renamed(
                child,
                new[child.name],
                f"{parent.name}.{child.name}",
                f"{parent.name}.{new[child.name]}",
                notices,
            )
            if child.name in new
            else child
            for child in parent.children
        ),
    )


def _pruned(parent: Directive, notices: list[Notice]) -> Directive:
    """*parent* without the statements that have no effect any more."""
    gone = DROPPED[parent.name]
    for child in parent.children:
        if child.name in gone:
            _notify(notices, child, f"{parent.name}.{child.name}", "")
    return replace(parent, children=tuple(child for child in parent.children if child.name not in gone))


def _put(parent: Directive, child: Directive) -> Directive:
    """*parent* with *child* in place of its first child of that name, or at its end."""
    children = list(parent.children)
    for at, each in enumerate(children):
        if each.name == child.name:
            children[at] = child
            return replace(parent, children=tuple(children))
    return replace(parent, children=(*children, child))


def _move(parent: Directive, old: Directive, home: str, name: str, args: tuple[str, ...]) -> Directive:
    """*parent* with the statement ``name args`` in its block *home*, standing where *old* stood."""
    block = next((each for each in parent.children if each.name == home and each.block), None)
    block = block or Directive(home, block=True, file=old.file, line=old.line, columns=old.columns)
    if home in SWITCHED_ON and block.first("enabled") is None:
        block = _put(block, Directive("enabled", ("on",), file=old.file, line=old.line, columns=old.columns))
    return _put(parent, _put(block, Directive(name, args, file=old.file, line=old.line, columns=old.columns)))


def _caster(caster: Directive, notices: list[Notice]) -> Directive:
    caster = _pruned(caster, notices)
    sip = caster.first("sip")
    if sip:
        caster = _put(caster, _pruned(sip, notices))
    for host in caster.every("host"):
        _notify(notices, host, "stream_caster.host", "stream_caster.sip.candidate")
        caster = replace(caster, children=tuple(child for child in caster.children if child is not host))
        caster = _move(caster, host, "sip", "candidate", host.args)
    return caster


def _vhost(vhost: Directive, notices: list[Notice]) -> Directive:
    # Old statements leave first, so that `refer a;` and the block it moves into do not meet.
    kept: list[Directive] = []
    moving: list[Directive] = []
    for child in vhost.children:
        (moving if _is_old(child) else kept).append(child)
    vhost = replace(vhost, children=tuple(_modern(child, notices) for child in kept))
    for old in moving:
        if old.block:
            home, parts = UNPACKED[old.name]
            for part, name in parts.items():
                found = old.first(part)
                if found:
                    _notify(notices, found, f"vhost.{old.name}.{part}", f"vhost.{home}.{name}")
                    vhost = _move(vhost, found, home, name, found.args)
        else:
            home, name = MOVED[old.name]
            _notify(notices, old, f"vhost.{old.name}", f"vhost.{home}.{name}")
            vhost = _move(vhost, old, home, name, old.args)
    return vhost


def _is_old(child: Directive) -> bool:
    if child.block:
        return child.name in UNPACKED
    return child.name in MOVED and (child.name != "forward" or bool(child.args))


def _modern(block: Directive, notices: list[Notice]) -> Directive:
    """A block of a vhost in today's spelling."""
    if block.name == "http":
        return _renamed(block, "http_static", "vhost.http", "vhost.http_static", notices)
    if block.name == "http_remux":
        # hstrs is always on since SRS 3; too common in old files to be worth a line.
        return replace(block, children=tuple(child for child in block.children if child.name != "hstrs"))
    if block.name == "hls":
        return _pruned(block, notices)
    if block.name == "rtc":
        for old, new, on in (("aac", "rtmp_to_rtc", "transcode"), ("bframe", "keep_bframe", "keep")):
            found = block.first(old)
            if found:
                _notify(notices, found, f"vhost.rtc.{old}", f"vhost.rtc.{new}")
                block = replace(block, children=tuple(child for child in block.children if child.name != old))
                value = "on" if found.args[:1] == (on,) else "off"
                block = _put(
                    block, Directive(new, (value,), file=found.file, line=found.line, columns=found.columns)
                )
    return block
