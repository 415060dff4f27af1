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
    "chunk_size": ("SRS_CHUNK_SIZE", "SRS_RTMP_CHUNK_SIZE", "SRS_VHOST_CHUNK_SIZE"),
    "listen": ("SRS_LISTEN", "SRS_RTMP_LISTEN"),
}

NOT_OVERRIDDEN: Final = (
    "is_full",
    "stats",
    "stream_caster",
    "vhost.cluster",
    "vhost.dvr.dvr_apply",
    "vhost.enabled",
    "vhost.exec",
    "vhost.ingest",
    "vhost.refer",
    "vhost.security",
    "vhost.transcode",
)
"Directives and blocks that SRS reads from the file only. A variable that SRS ignored must not change a server that moves here."


class Environment:
    """The process's variables, asked by directive path. Holds a reference, copies nothing."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def find(self, path: str) -> tuple[str, str] | None:
        """Return the variable for the directive at *path* (``vhost.play.atc``) and its value, or None."""
        if any(path == name or path.startswith(name + ".") for name in NOT_OVERRIDDEN):
            return None
        for name in ALIASES.get(path, ("SRS_" + path.replace(".", "_").upper(),)):
            value = self._variables.get(name, "")
            if value:
                return name, value
        return None

    @property
    def only(self) -> bool:
        """True when SRS_ENV_ONLY asks for a start without any file."""
        return self._variables.get("SRS_ENV_ONLY", "") not in ("", "off")

    @property
    def config_file(self) -> str:
        """The file that SRS_CONFIG_FILE names instead of the command line's, or ''."""
        return self._variables.get("SRS_CONFIG_FILE", "")
