"""Templates of HLS files: playlist, segments, initialisation sections and keys; URL paths and paths below the root."""

from __future__ import annotations

from dataclasses import dataclass

from fastflv.config.template import PathTemplate
from fastflv.config.variable import Variable


@dataclass(frozen=True, slots=True)
class HlsFiles:
    """The templates of one vhost, each with a slash at its front: a file is its path below the root."""

    playlist: PathTemplate
    "`hls_m3u8_file`."

    ts: PathTemplate
    "`hls_ts_file`."

    mp4: PathTemplate
    "`hls_fmp4_file`."

    init: PathTemplate
    "`hls_init_file`."

    key: PathTemplate
    "`hls_key_file`."

    serves_keys: bool
    "Segments are encrypted, and keys are not left to another server."

    @classmethod
    def parse(
        cls, vhost: str, *, playlist: str, ts: str, mp4: str, init: str, key: str, serves_keys: bool
    ) -> HlsFiles:
        """Read the templates of *vhost*."""

        def numbered(text: str) -> PathTemplate:
            return _rooted(_numbered(text, vhost), vhost)

        return cls(
            _rooted(playlist, vhost), numbered(ts), numbered(mp4), numbered(init), numbered(key), serves_keys
        )

    @property
    def media(self) -> tuple[PathTemplate, ...]:
        """The templates of segments and initialisation sections."""
        return self.ts, self.mp4, self.init


def _rooted(text: str, vhost: str) -> PathTemplate:
    return PathTemplate.parse("/" + text.lstrip("/"), vhost)


def _numbered(text: str, vhost: str) -> str:
    """*text* with `[seq]` before its ending, unless it has a variable already whose value never comes again."""
    if {Variable.SEQ, Variable.TIMESTAMP} & set(PathTemplate.parse(text, vhost).variables):
        return text
    stem, dot, ending = text.rpartition(".")
    return f"{stem}-[seq].{ending}" if dot and "/" not in ending else f"{text}-[seq]"
