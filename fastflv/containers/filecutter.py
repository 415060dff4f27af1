"""Where recorded files begin and end: entries of a log in, the entries of one file after another out.

Every entry comes out once, in order, but sequence headers and metadata: each file begins with those in force.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from fastflv import limits
from fastflv._ext.syntax.flvtag import traits
from fastflv.containers.filewriter import Entry
from fastflv.containers.flv.header import TAG_HEADER_BYTES, body_of
from fastflv.containers.flv.metadata import script_fields
from fastflv.media.amf.values import Value
from fastflv.media.codecs import AUDIO, SCRIPT, VIDEO
from fastflv.media.tagflags import CONFIG, KEY, NOTES, OTHER


@dataclass(slots=True)
class FilePart:
    """Entries that belong to one file."""

    entries: list[Entry] = field(default_factory=list)

    begins: bool = False
    "The first part of a file."

    ends: bool = False
    "The last part of a file."

    base_ms: int = 0
    "Where it begins: the stream time that is 0 in the file."

    metadata: dict[str, Value] = field(default_factory=dict)
    "In force at its begin."

    headers: list[tuple[int, bytes]] = field(default_factory=list)
    "Kinds and bodies of the sequence headers in force where it begins."


class FileCutter:
    """Cuts one stream into files.

    A file begins with the first frame after the end of the one before; with *wait_key* pictures before a keyframe are
    left out. It ends before a keyframe behind *most_ms* (0: never), after a change of codec, and where its times would
    not fit. *strict*: a file cannot take a track or configuration that comes later.
    """

    def __init__(
        self, most_ms: int = 0, *, wait_key: bool = True, keep_times: bool = False, strict: bool = False
    ) -> None:
        """*keep_times*: files have the times of the stream; else each begins near 0."""
        self.most_ms = most_ms
        self.wait_key = wait_key
        self.keep_times = keep_times
        self.metadata: dict[str, Value] = {}
        "What the publisher said last."
        self._strict = strict
        self._headers: dict[tuple[int, int, int], bytes] = {}
        "Bodies by kind, notes or not, and track."
        self._forms: dict[int, int] = {}
        "By kind: what a tag of the newest frame begins with, as far as it names the codec."
        self._held: list[Entry] = []
        "Entries of a file that is to begin."
        self._open = False
        self._begun_ms = 0
        self._base_ms = 0
        self._needs_key = True
        self._changed = False
        "The open file ends at the next keyframe, or at the next frame without video."
        self._cut = False
        "The open file ends at the next frame of any kind."

    def take_headers(self, tags: Iterable[tuple[int, bytes]]) -> None:
        """Take metadata and sequence headers that stand before the first entry, as kinds and bodies."""
        for kind, body in tags:
            if kind == SCRIPT:
                self._take_metadata(body)
            else:
                flags, _, track = traits(kind, body)
                self._headers[kind, flags & NOTES, track] = body

    def lose(self) -> None:
        """Entries are missing before the next one: pictures begin again at a keyframe."""
        self._needs_key = True

    def take(self, entries: list[Entry], *, video: bool, last: bool = False) -> list[FilePart]:
        """Return the parts of files that new *entries* make.

        *video*: whether the stream has video now. *last*: no more follow; the open file ends.
        """
        idle = not entries
        entries = self._held + entries
        self._held = []
        parts: list[FilePart] = []
        part = FilePart()
        for i, entry in enumerate(entries):
            kind, flags, dts_ms, data = entry
            if kind == SCRIPT:
                if flags & NOTES:
                    self._take_metadata(body_of(data))
                elif self._open:
                    part.entries.append(entry)
                continue
            if flags & CONFIG or flags & NOTES:
                if self._take_config(entry) and self._open:
                    part.entries.append(entry)
                continue
            is_key = kind == VIDEO and flags & KEY != 0 and not flags & OTHER
            if not flags & OTHER:
                form = _form(entry)
                if form >= 0 and form != self._forms.get(kind):
                    self._take_form(kind, form)
            if self._open and self._ends(kind, is_key, dts_ms, video):
                part.ends = True
                parts.append(part)
                part = FilePart()
                self._open = False
            if kind == VIDEO and self._needs_key:
                if not is_key and self.wait_key:
                    continue
                self._needs_key = False
            if not self._open:
                rest = entries[i:]
                if not (last or idle) and rest[-1][2] - dts_ms < limits.RECORD_AHEAD_MS:
                    self._held = rest
                    self._needs_key = self._needs_key or is_key
                    break
                self._begin(part, dts_ms, rest)
            part.entries.append(entry)
        if last and self._open:
            part.ends = True
            self._open = False
        if part.entries or part.ends:
            parts.append(part)
        return parts

    def _begin(self, part: FilePart, dts_ms: int, rest: list[Entry]) -> None:
        frames = [entry[2] for entry in rest if entry[0] != SCRIPT and not entry[1] & (CONFIG | NOTES)]
        self._open = True
        self._changed = self._cut = False
        self._begun_ms = dts_ms
        self._base_ms = 0 if self.keep_times else min(frames)
        # Tracks that come a moment later than the first one belong to the begin.
        for entry in rest:
            if entry[0] == SCRIPT:
                continue
            if entry[1] & CONFIG:
                key, body = _header(entry)
                self._headers.setdefault(key, body)
            elif not entry[1] & (OTHER | NOTES) and _form(entry) >= 0:
                self._forms.setdefault(entry[0], _form(entry))
        part.begins = True
        part.base_ms = self._base_ms
        part.metadata = self.metadata
        # The configuration of a track stands before its notes, and video before audio.
        ordered = sorted(self._headers.items(), key=lambda item: (-item[0][0], item[0][2], item[0][1]))
        part.headers = [(key[0], body) for key, body in ordered]

    def _ends(self, kind: int, is_key: bool, dts_ms: int, video: bool) -> bool:
        """Whether the open file ends before this frame."""
        if self._cut:
            return True
        start = is_key if video else kind == AUDIO
        if start and (self._changed or dts_ms - self._base_ms > limits.RECORD_FILE_MS_MAX):
            return True
        if not self.most_ms or dts_ms - self._begun_ms < self.most_ms:
            return False
        return start or not self.wait_key

    def _take_metadata(self, body: bytes) -> None:
        fields = script_fields(body)
        if fields is not None:
            self.metadata = fields

    def _take_config(self, entry: Entry) -> bool:
        """Keep a header; return whether the open file takes it too."""
        key, body = _header(entry)
        kind, notes, track = key
        known = self._headers.get(key)
        self._headers[key] = body
        if known == body or not self._open:
            return True
        if known is None:
            self._changed |= self._strict and not notes and not track
            return True
        if notes:
            return True
        self._change(kind)
        return not self._cut

    def _take_form(self, kind: int, form: int) -> None:
        known = self._forms.get(kind)
        self._forms[kind] = form
        if not self._open:
            return
        if known is not None:
            self._change(kind)
        elif not any(key[0] == kind for key in self._headers):
            self._changed |= self._strict

    def _change(self, kind: int) -> None:
        """The codec of a track changes: pictures go on with a keyframe, sound of another codec waits for one."""
        if kind == VIDEO:
            self._cut = True
            self._needs_key = True
        else:
            self._changed = True


def _header(entry: Entry) -> tuple[tuple[int, int, int], bytes]:
    """The key of a header, and its body."""
    kind, flags, _, data = entry
    body = body_of(data)
    return (kind, flags & NOTES, traits(kind, body)[2]), body


def _form(entry: Entry) -> int:
    """What a frame begins with, as far as it names the codec (FLV v10.1, E.4.2.1 and E.4.3.1).

    -1 with a FourCC (Enhanced RTMP), which may be that of a further track: a sequence header tells of another codec.
    """
    first = entry[3][TAG_HEADER_BYTES]
    if entry[0] != VIDEO:
        return first & 0xF0 if first >> 4 != 9 else -1
    return -1 if first & 0x80 else first & 0x0F
