"""A media log as a list: every tag ever written, and what of it has to be there still."""

from __future__ import annotations

from typing import NamedTuple

from model.flv import VIDEO, Tag, write_tag

from fastflv._ext.syntax.flvtag import traits


class Row(NamedTuple):
    position: int
    size: int
    tag: Tag
    flags: int


class ListLog:
    """Forgets nothing; says what a MediaLog may have forgotten."""

    def __init__(self, *, key_bytes_max: int = 0, key_tags_max: int = 0) -> None:
        self.rows: list[Row] = []
        self.bytes = b""
        self.key: int | None = None
        self._key_bytes_max = key_bytes_max
        self._key_tags_max = key_tags_max
        self._pictures = 0

    def append(self, kind: int, dts_ms: int, body: bytes) -> None:
        tag = Tag(kind, dts_ms, body)
        flags = traits(kind, body)[0]
        row = Row(len(self.bytes), len(body) + 15, tag, flags)
        self.rows.append(row)
        self.bytes += write_tag(tag)
        if kind == VIDEO and not flags & 12:
            if flags & 1:
                self.key, self._pictures = row.position, 0
                return
            self._pictures += 1
            if self._key_tags_max and self._pictures > self._key_tags_max:
                self.key = None
        if self.key is not None and self._key_bytes_max and len(self.bytes) - self.key > self._key_bytes_max:
            self.key = None

    def shown_from(self, tail: int) -> list[tuple[int, int, int, int, int]]:
        return [
            (row.position, row.size, row.tag.dts_ms, row.tag.kind, row.flags)
            for row in self.rows
            if row.position >= tail
        ]
