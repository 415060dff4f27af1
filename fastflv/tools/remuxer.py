"""Tags of a file or a connection through the writer, the log and the muxers of a live stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from fastflv import limits
from fastflv._ext.fanout.cursor import Cursor
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.ingest.tagread import TagReader
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.mux.remux import Remux
from fastflv._ext.syntax.flvtag import make_tag
from fastflv.containers.carriage import Track
from fastflv.containers.flv.header import flv_header
from fastflv.containers.flv.metadata import script_name
from fastflv.containers.flv.reader import FlvTag
from fastflv.containers.variant import Variant
from fastflv.media.codecs import AUDIO, VIDEO
from fastflv.media.inband import make_record
from fastflv.stream.outlets import make_remux
from fastflv.stream.tracks import track_of

FOR_EVER: Final = 1 << 40
"A bound of time that is none, ms: what is written is read before the next batch."

Entry = tuple[int, int, int, bytes]
"`(kind, flags, dts_ms, bytes)` as `Cursor.take_tags` returns it."


class Remuxer:
    """Tags in, entries of the log of one container out. Times begin near 0, and are repaired as those of a publisher.

    *choose* is called once, when the tracks are known, and returns the container: `flv`, `ts`, `aac` or `mp3`. It may
    raise, and then `take` and `finish` do.
    """

    def __init__(self, choose: Callable[[Remuxer], str]) -> None:
        self.tables: Callable[[], bytes] | None = None
        "Writes PAT and PMT, where the container is TS."
        self._choose = choose
        self._log = _log()
        self.writer = StreamWriter(self._log, make_record=make_record)
        self.writer.begin(limits.TIME_FIRST_STEP_MS)
        self._reader = TagReader()
        self._reader.sink = self.writer
        self._reader.feed(flv_header(audio=True, video=True))
        # The log keeps all from its begin on until this cursor has read it.
        self._cursor = Cursor(self._log, position=0, drop_ms=FOR_EVER, jump_ms=FOR_EVER)
        self._remux: Remux | None = None
        self._settled = False
        self._written_ms = 0
        "Time up to which the containers have followed, ms."
        self._waiting = 0
        "Bytes that were written since."

    @property
    def time_ms(self) -> int:
        """Time of the newest tag, ms; times of the log begin near 0."""
        return self.writer.dts_ms

    @property
    def tracks(self) -> list[Track]:
        """The default tracks that have shown a frame, video first."""
        writer = self.writer
        kinds = ((VIDEO, writer.has_video), (AUDIO, writer.has_audio))
        return [track_of(writer, kind) for kind, there in kinds if there]

    def take(self, tags: Iterable[FlvTag]) -> list[Entry]:
        """Take whole tags; return the entries that are ready."""
        found: list[Entry] = []
        for tag in tags:
            self._write(tag)
            self._waiting += len(tag.body)
            if (
                self.writer.dts_ms - self._written_ms > limits.TOOL_BATCH_MS
                or self._waiting > limits.TOOL_READ_BYTES
            ):
                found += self._follow()
        return found + self._follow()

    def finish(self) -> list[Entry]:
        """The last tag was taken: return the rest."""
        self.writer.flush()
        self._settle()
        self._log.end()
        found = self._cursor.take_tags()
        self._cursor.close()
        if self._remux is not None:
            # Each holds the other.
            self._remux.stop()
        return found

    def _write(self, tag: FlvTag) -> None:
        writer, reader = self.writer, self._reader
        if tag.kind in (AUDIO, VIDEO):
            # The clock goes by the tags: a gap between two of them is one, not a clock that jumped.
            writer.now_ms = max(writer.now_ms, tag.time_ms)
        data = make_tag(tag.kind, tag.time_ms, tag.body)
        at = reader.feed(data)
        if reader.message is not None:
            _, timestamp, body = reader.message
            name = script_name(body)
            if name == "onMetaData":
                writer.set_metadata(body, timestamp)
            elif name:
                writer.add_script(body, timestamp)
            reader.feed(data, at)

    def _follow(self) -> list[Entry]:
        writer = self.writer
        self._written_ms, self._waiting = writer.dts_ms, 0
        writer.flush()
        if not self._settled:
            known = (writer.has_audio and writer.has_video) or self._log.head > limits.TOOL_LOG_BYTES // 2
            if not known and writer.dts_ms < limits.TOOL_SETTLE_MS:
                return []
            self._settle()
        return self._cursor.take_tags()

    def _settle(self) -> None:
        """Choose the container, and have its log follow from the begin on."""
        if self._settled:
            return
        self._settled = self.writer.settled = True
        container = self._choose(self)
        if container == "flv":
            return
        log = _log()
        cursor = Cursor(log, position=0, drop_ms=FOR_EVER, jump_ms=FOR_EVER)
        remux = self._remux = make_remux(Variant(container), self._log, log)
        remux.begin(self.writer.header_tags(0), 0)
        self.tables = getattr(remux, "tables", None)
        self._cursor.close()
        self._cursor = cursor


def _log() -> MediaLog:
    return MediaLog(history_ms=FOR_EVER, history_bytes=limits.TOOL_LOG_BYTES, keep_ms=FOR_EVER)
