"""The settings in force, each with its value and where that comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import Any, Final

from fastflv.config.diff import APART, DIRECTIVES, UNSET, show
from fastflv.config.grammar.section import Section
from fastflv.config.model.server import Settings
from fastflv.config.unused import UNUSED, Why, unused

DEFAULT: Final = "default"
DERIVED: Final = "derived"
"Source of a value that follows from other settings or from the machine."

HIDDEN: Final = "(hidden)"

OTHER_HOMES: Final = {
    "listen": ("rtmp.listen",),
    "chunk_size": ("rtmp.chunk_size",),
    "log.level": ("srs_log_level_v2",),
    "http_api.crossdomain": ("http_server.crossdomain",),
    "vhost.http_remux.on_missing": ("vhost.play.on_missing",),
}
"Further directives that set a setting, by its path in the model."

SHOWN_ELSEWHERE: Final = frozenset({"vhost.name", "vhost.hls.on_disk"})
"Fields of the model that other rows show: the name in each path, and whether `hls_path` is written."


@dataclass(frozen=True, slots=True)
class Effective:
    """One setting."""

    path: str
    "The directive, as `vhost example.com.play.mw_latency`."

    value: str
    "As a file would have it; secrets are hidden."

    source: str
    "File and line, `environment NAME`, `option NAME`, DEFAULT or DERIVED."

    @property
    def written(self) -> bool:
        """Somebody has set it."""
        return self.source not in (DEFAULT, DERIVED)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting where it stands in the model; finding its source costs more than finding the setting."""

    field: Field[Any]
    value: object
    path: str
    "Dotted path in the model, as `vhost.play.mw_latency`."
    section: Section
    vhost: str
    "Name of the vhost; empty for a setting of the server."

    def effective(self) -> Effective:
        """Return the setting with its source."""
        directive = DIRECTIVES.get(self.path, self.path)
        inner = directive.removeprefix("vhost.") if self.vhost else directive
        value = self.value
        shown = UNSET[self.path] if value is None and self.path in UNSET else show(value)
        return Effective(
            f"vhost {self.vhost}.{inner}" if self.vhost else inner,
            shown if self.field.repr or value in ("", ()) else HIDDEN,
            _source(self.field, value, self.path, self.section, self.vhost),
        )


def effective(settings: Settings) -> Iterator[Effective]:
    """The settings of *settings* in the order of the model, those of vhosts last."""
    for name in ("", *settings.vhosts):
        for each in settings_of(settings, name):
            yield each.effective()


def settings_of(settings: Settings, vhost: str) -> Iterator[Setting]:
    """The settings of the vhost of that name, in the order of the model; empty: those of the server. None without a source."""
    block = settings.vhosts[vhost] if vhost else settings
    if block.source is not None:
        yield from _block(block, "vhost" if vhost else "", block.source, vhost)


def _block(block: Any, path: str, section: Section, vhost: str) -> Iterator[Setting]:
    for each in fields(block):
        setting = f"{path}.{each.name}" if path else each.name
        row = unused(setting)
        if each.name in APART or setting in SHOWN_ELSEWHERE or (row is not None and row.why is Why.FOLDED):
            continue
        value = getattr(block, each.name)
        if is_dataclass(value) and each.default is MISSING and each.default_factory is not MISSING:
            yield from _block(value, setting, section, vhost)
        else:
            yield Setting(each, value, setting, section, vhost)


def _source(each: Field[Any], value: object, setting: str, section: Section, vhost: str) -> str:
    folded = tuple(row.path for row in UNUSED if row.why is Why.FOLDED and row.text == each.name)
    for path in (DIRECTIVES.get(setting, setting), *OTHER_HOMES.get(setting, ()), *folded):
        found = _place(section, path.removeprefix("vhost.") if vhost else path)
        if found:
            return found
    default = each.default
    return DEFAULT if default is MISSING or value == default else DERIVED


def _place(section: Section, path: str) -> str:
    *blocks, name = path.split(".")
    for block in blocks:
        section = section.sub(block)
    value = section.value(name)
    if value is not None:
        return value.place
    inner = section.directive.first(name) if section.directive is not None else None
    return inner.place if inner is not None and inner.block else ""
