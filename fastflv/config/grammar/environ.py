"""SRS_* environment variables: each one set and not empty beats the file.

The name is mechanical: the directive ``a { b { c } }`` is ``SRS_A_B_C``. Vhosts have no name in
it, so ``SRS_VHOST_PLAY_GOP_CACHE`` applies to every vhost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ALIASES: Final[dict[str, tuple[str, ...]]] = {
    # SRS documents the first and its code asks for the second; both work.
    "srs_log_tank": ("SRS_SRS_LOG_TANK", "SRS_LOG_TANK"),
    "srs_log_level": ("SRS_SRS_LOG_LEVEL", "SRS_LOG_LEVEL"),
    "srs_log_level_v2": ("SRS_SRS_LOG_LEVEL_V2", "SRS_LOG_LEVEL_V2"),
    "srs_log_file": ("SRS_SRS_LOG_FILE", "SRS_LOG_FILE"),
    "srs_log_format": ("SRS_SRS_LOG_FORMAT", "SRS_LOG_FORMAT"),
    "chunk_size": ("SRS_CHUNK_SIZE", "SRS_RTMP_CHUNK_SIZE", "SRS_VHOST_CHUNK_SIZE"),
    "listen": ("SRS_LISTEN", "SRS_RTMP_LISTEN"),
}

NO_OPTIONS: Final[Mapping[str, tuple[str, str]]] = {}

NOT_OVERRIDDEN: Final = (
    "is_full",
    "limits",
    "stats",
    "stream_caster",
    "vhost.cluster",
    "vhost.dvr.dvr_apply",
    "vhost.enabled",
    "vhost.exec",
    "vhost.ingest",
    "vhost.limits",
    "vhost.refer",
    "vhost.security",
    "vhost.transcode",
)
"Directives and blocks that SRS reads from the file only. A variable that SRS ignored must not change a server that moves here."


def variable_of(path: str) -> str:
    """Return the name of the variable for the directive at *path*, the first one where there are several."""
    return _names(path)[0]


def _names(path: str) -> tuple[str, ...]:
    return ALIASES.get(path, ("SRS_" + path.replace(".", "_").upper(),))


class Environment:
    """The process's variables, asked by directive path, and the options over them. Holds references, copies nothing."""

    def __init__(
        self, variables: Mapping[str, str], options: Mapping[str, tuple[str, str]] = NO_OPTIONS
    ) -> None:
        """*options*: by directive path the name of the option, as `--listen`, and its value."""
        self._variables = variables
        self._options = options

    def find(self, path: str) -> tuple[str, str] | None:
        """Return whence the value for the directive at *path* (``vhost.play.atc``) comes, for messages, and it; or None."""
        if path in self._options:
            name, value = self._options[path]
            return f"option {name}", value
        if any(path == name or path.startswith(name + ".") for name in NOT_OVERRIDDEN):
            return None
        for name in _names(path):
            value = self._variables.get(name, "")
            if value:
                return f"environment {name}", value
        return None

    @property
    def only(self) -> bool:
        """True when SRS_ENV_ONLY asks for a start without any file."""
        return self._variables.get("SRS_ENV_ONLY", "") not in ("", "off")

    @property
    def config_file(self) -> str:
        """The file that SRS_CONFIG_FILE names instead of the command line's, or ''."""
        return self._variables.get("SRS_CONFIG_FILE", "")
