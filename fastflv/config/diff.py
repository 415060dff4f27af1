"""What differs between two configurations, and when each difference can take effect.

WHEN has an entry for every setting, by its own path or by that of a block around it; a test holds that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, Final

from fastflv.config.grammar.directive import Directive
from fastflv.config.grammar.section import Section, Value
from fastflv.config.masking import masked
from fastflv.config.model.server import Settings
from fastflv.config.unused import Why, unused


class When(Enum):
    """When a reload makes a changed setting count."""

    LIVE = "at once"
    "At once, for what runs as well."

    NEW_CONNECTIONS = "for new connections"
    "For connections that are accepted after the reload."

    RESTART = "after a restart"
    "The running process keeps the old value."

    NEVER = "never: it has no effect"
    "The setting is not read."


LIVE, NEW_CONNECTIONS, RESTART = When.LIVE, When.NEW_CONNECTIONS, When.RESTART

WHEN: Final = {
    "listen": LIVE,
    "rtmp": NEW_CONNECTIONS,
    "rtmps": LIVE,
    "rtmps.proxy_protocol": NEW_CONNECTIONS,
    "trusted_proxies": LIVE,
    "max_connections": LIVE,
    "chunk_size": NEW_CONNECTIONS,
    "pid": RESTART,
    "daemon": RESTART,
    "in_docker": RESTART,
    "disable_daemon_for_docker": RESTART,
    "work_dir": RESTART,
    "log": RESTART,
    "log.level": LIVE,
    "server_id": RESTART,
    "utc_time": LIVE,
    "asprocess": RESTART,
    "empty_ip_ok": NEW_CONNECTIONS,
    "pithy_print_ms": LIVE,
    "grace_start_wait": LIVE,
    "grace_final_wait": LIVE,
    "force_grace_quit": LIVE,
    "inotify_auto_reload": LIVE,
    "auto_reload_for_docker": LIVE,
    "fanout_threads": RESTART,
    "reuse_port": RESTART,
    "http_server": LIVE,
    "http_server.proxy_protocol": NEW_CONNECTIONS,
    "http_server.https.http2": NEW_CONNECTIONS,
    "http_server.https.proxy_protocol": NEW_CONNECTIONS,
    "http_api": LIVE,
    "http_api.proxy_protocol": NEW_CONNECTIONS,
    "http_api.https.http2": NEW_CONNECTIONS,
    "http_api.https.proxy_protocol": NEW_CONNECTIONS,
    "stream_casters": NEW_CONNECTIONS,
    "flv_tcp": LIVE,
    "flv_tcp.app": NEW_CONNECTIONS,
    "stats": LIVE,
    "heartbeat": LIVE,
    "exporter": LIVE,
    "limits": LIVE,
    "vhost.enabled": LIVE,
    "vhost.chunk_size": NEW_CONNECTIONS,
    "vhost.min_latency": LIVE,
    "vhost.tcp_nodelay": NEW_CONNECTIONS,
    "vhost.in_ack_size": NEW_CONNECTIONS,
    "vhost.out_ack_size": NEW_CONNECTIONS,
    "vhost.record_api": LIVE,
    "vhost.record_path": LIVE,
    "vhost.play": LIVE,
    "vhost.publish": LIVE,
    "vhost.http_remux": LIVE,
    "vhost.http_static": LIVE,
    "vhost.http_hooks": LIVE,
    "vhost.refer": LIVE,
    "vhost.security": LIVE,
    "vhost.auth": LIVE,
    "vhost.limits": LIVE,
    "vhost.forward": LIVE,
    "vhost.cluster": LIVE,
    "vhost.dvr": LIVE,
    "vhost.hls": LIVE,
    "vhost.timeshift": LIVE,
}
"When a change counts, by dotted path; the longest path that fits is the one that holds."

DIRECTIVES: Final = {
    "log.tank": "srs_log_tank",
    "log.file": "srs_log_file",
    "log.format": "srs_log_format",
    "log.level": "srs_log_level",
    "stream_casters": "stream_caster",
    "vhost.http_remux.mounts": "vhost.http_remux.mount",
    "vhost.security.rules": "vhost.security",
    "limits.lines": "limits",
    "vhost.limits.lines": "vhost.limits",
    "vhost.hls.on_disk": "vhost.hls.hls_path",
}
"Directives of the settings whose names in the model differ."

UNSET: Final = {"vhost.play.mw_latency": "auto"}
"What a file calls the value that is None in the model."

APART: Final = frozenset({"vhosts", "notices", "source"})
"Fields of the model that hold no setting."


@dataclass(frozen=True, slots=True)
class Change:
    """One setting whose value differs, or one vhost or block that is there in one configuration only."""

    path: str
    "The directive, as `vhost example.com.play.mw_latency`, or the vhost, as `vhost example.com`."

    setting: str
    "Dotted path of the setting in the model, as `vhost.play.mw_latency`; of a whole vhost `vhost`."

    old: object
    "The value before; None where there was none."

    new: object
    "The value now; None where there is none."

    when: When
    "When it counts."

    place: str = ""
    "File and line of the new value, else of the old one, else of the block around it; empty when unknown."

    secret: bool = False
    "The values are kept out of logs."

    @property
    def texts(self) -> tuple[str, str]:
        """The values before and after, as a file would have them; secrets are hidden."""
        return self._shown(self.old), self._shown(self.new)

    def __str__(self) -> str:
        old, new = self.texts
        return f"{self.path}: {old} -> {new}"

    def _shown(self, value: object) -> str:
        if value is None and self.setting in UNSET:
            return UNSET[self.setting]
        return "(hidden)" if self.secret else show(value)


def show(value: object) -> str:
    """The value of a setting as a file would have it, URLs without secrets; `none` for an empty one, `on` for a whole block."""
    if value is None or value in ("", ()):
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return " ".join(map(_shown, value))
    return "on" if is_dataclass(value) else _shown(value)


def _shown(value: object) -> str:
    text = str(value)
    return masked(text) if "://" in text else text


def when_of(setting: str) -> When:
    """When a change of the setting at the dotted path *setting* counts. Raises KeyError for one without an entry."""
    row = unused(setting)
    if row is not None:
        return When.NEVER
    path = setting
    while path not in WHEN:
        path, dot, _ = path.rpartition(".")
        if not dot:
            raise KeyError(setting)
    return WHEN[path]


def differences(old: Settings, new: Settings) -> list[Change]:
    """The differences in the order of the model, those of vhosts last.

    A setting that counts through another one is left out: the other one is listed.
    """
    changes = list(_compare(old, new, "", _Places(new.source, old.source)))
    for name in dict.fromkeys((*old.vhosts, *new.vhosts)):
        before, after = old.vhosts.get(name), new.vhosts.get(name)
        places = _Places(after.source if after else None, before.source if before else None)
        if before is not None and after is not None:
            changes += _compare(before, after, "vhost", places, name)
        else:
            changes.append(Change(f"vhost {name}", "vhost", before, after, LIVE, places.block))
    return changes


@dataclass(frozen=True, slots=True)
class _Places:
    """Where settings stand: in the new configuration, else in the old one."""

    new: Section | None
    old: Section | None

    @property
    def block(self) -> str:
        """The place of the outermost block."""
        found = next((each.directive for each in (self.new, self.old) if each and each.directive), None)
        return found.place if found else ""

    def find(self, path: str) -> str:
        """The place of the directive at *path* below the block, else the nearest block around it."""
        for source in (self.new, self.old):
            found = _find(source, path) if source else None
            if found is not None:
                return found.place
        return self.block


def _find(section: Section, path: str) -> Value | Directive | None:
    *blocks, name = path.split(".")
    for each in blocks:
        section = section.sub(each)
    return section.value(name) or section.sub(name).directive


def _compare(old: Any, new: Any, path: str, places: _Places, vhost: str = "") -> Iterator[Change]:
    """The changes between two blocks of one kind at the dotted *path*, of the vhost called *vhost* if there is one."""
    for each in fields(old):
        before, after = getattr(old, each.name), getattr(new, each.name)
        if each.name in APART or before == after:
            continue
        setting = f"{path}.{each.name}" if path else each.name
        if type(before) is type(after) and is_dataclass(before):
            yield from _compare(before, after, setting, places, vhost)
            continue
        row = unused(setting)
        if row is None or row.why is not Why.FOLDED:
            directive = DIRECTIVES.get(setting, setting)
            inner = directive.removeprefix("vhost.") if vhost else directive
            name = f"vhost {vhost}.{inner}" if vhost else directive
            place = places.find(inner)
            yield Change(name, setting, before, after, when_of(setting), place, secret=not each.repr)
