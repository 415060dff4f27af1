"""One recording of one stream: reads the log by a timer, and has its files written by threads."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from functools import partial

from fastflv import limits
from fastflv.access.request import AccessRequest
from fastflv.containers.filecutter import FileCutter, FilePart
from fastflv.containers.filewriter import FileWriter
from fastflv.containers.flv.reader import walk_tags
from fastflv.containers.partwriter import part_writer
from fastflv.errors import FilesBusyError
from fastflv.record.event import RecordEvent, RecordStep
from fastflv.record.options import RecordOptions, path_fault
from fastflv.record.output import Output
from fastflv.record.writes import Step, Writes
from fastflv.stream.stream import Stream
from fastflv.stream.unhurried import Unhurried

log = logging.getLogger(__name__)


class RecordedFile:
    """A file that is being written, and the tags that go into it."""

    def __init__(self, path: str, writer: FileWriter) -> None:
        self.output = Output(path)
        self.writer = writer
        self.told = False
        "Its begin was told."


class Recorder:
    """Records a stream until `finish`; a publisher that returns goes on in the same file.

    *tell* is called with each event, *on_end* once, when nothing more is written.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        writes: Writes,
        stream: Stream,
        options: RecordOptions,
        *,
        from_begin: bool,
        phase: float,
        tell: Callable[[RecordEvent], None],
        on_end: Callable[[Recorder], None],
    ) -> None:
        """*from_begin*: what comes from now on is all there was; else the newest GOP is recorded too.

        *phase*: part of the period of reads at which this one is due, 0 to 1.
        """
        self.stream = stream
        self.options = options
        self.file: RecordedFile | None = None
        "The file that takes what the stream sends."
        self.open_files: list[RecordedFile] = []
        "Files that began and whose end is not told, the oldest first: the threads may have them open."
        self.ended = False
        self._newest = 0.0
        "When the newest file began, seconds since 1970."
        self._loop = loop
        self._writes = writes
        self._phase = phase
        self._tell = tell
        self._on_end = on_end
        self._client_id = stream.publisher_id
        self._publisher: AccessRequest | None = None
        self._cutter = FileCutter(
            options.most_ms, wait_key=options.wait_key, keep_times=options.keep_times, strict=options.mp4
        )
        self._known = False
        "The tracks were known: files may begin."
        self._jumps = 0
        self._finishing = False
        "The last of the log was read, or is being read."
        self._work: list[Step] = []
        "For the threads, once they have done what they were given."
        self._waiting_bytes = 0
        "Read from the log and not written."
        self._writing_since: float | None = None
        "Loop time when the threads were given work that is not done."
        self._reader = Unhurried(stream, self._start(from_begin), self._behind)
        self._timer: asyncio.TimerHandle | None = None
        self._wait()

    @property
    def newest(self) -> RecordedFile | None:
        """The file that takes what the stream sends, else the one that is being finished."""
        return self.file or (self.open_files[-1] if self.open_files else None)

    def begin(self) -> None:
        """Read what is there before the timer: whoever asked for the recording is told which file it is."""
        if self.stream.settled:
            self._known = True
            self._pull()

    def adopt(self, options: RecordOptions) -> None:
        """Take new options: lengths act on the open file, the path and the container on the next one."""
        self.options = options
        self._cutter.most_ms = options.most_ms
        self._cutter.wait_key = options.wait_key

    def finish(self) -> None:
        """Write what the log has, and finish the file."""
        if self.ended or self._finishing:
            return
        self._finishing = True
        self._read()

    # --- reading ---

    def _start(self, from_begin: bool) -> int:
        log, writer = self.stream.log, self.stream.writer
        if from_begin:
            return log.head
        at = log.key_pos if writer.has_video else log.head
        headers = log.key_headers if at >= 0 and writer.has_video else writer.header_tags(log.head_dts)
        self._cutter.take_headers((tag.kind, tag.body) for tag, _ in walk_tags(headers))
        return at

    def _wait(self) -> None:
        period = limits.RECORD_PULL_SECONDS
        turn = int(self._loop.time() / period - self._phase) + 1
        self._timer = self._loop.call_at((turn + self._phase) * period, self._look)

    def _look(self) -> None:
        since = self._writing_since
        if since is not None and self._loop.time() - since > limits.RECORD_STALL_SECONDS:
            self._fail(f"the disk has not taken a write for {limits.RECORD_STALL_SECONDS:.0f} s")
            return
        self._known = self._known or self.stream.settled
        if self._known:
            self._pull()
        if not self.ended:
            self._wait()

    def _behind(self) -> None:
        """Media comes faster than time: read it before the timer."""
        if not self.ended:
            # So much media has all tracks.
            self._known = True
            self._pull()

    def _pull(self) -> None:
        """Read what is new, and have it written. A disk that is slow leaves it in the log."""
        if not self._finishing and self._waiting_bytes <= limits.RECORD_WAITING_BYTES:
            self._read()

    def _read(self) -> None:
        entries = self._reader.take()
        if self._reader.jumps != self._jumps:
            self._jumps = self._reader.jumps
            self._cutter.lose()
            if self._jumps == 1:
                self._report(
                    RecordStep.GAP, self.file, "the disk is too slow: frames are missing in the file"
                )
        parts = self._cutter.take(entries, video=self.stream.writer.has_video, last=self._finishing)
        if parts and (fault := path_fault(self.stream.name)):
            self._fail(fault)
            return
        for part in parts:
            if not self.ended:
                self._take(part)
        if not self.ended:
            self._write()

    def _take(self, part: FilePart) -> None:
        """Add the steps that write *part*."""
        if part.begins:
            behind_ms = max(self.stream.log.head_dts - part.entries[0][2], 0)
            # Media that came faster than time must not give two files one name, nor mix up their order.
            self._newest = max(time.time() - behind_ms / 1000, self._newest + 0.001)
            self._client_id = self.stream.publisher_id or self._client_id
            self._publisher = self.stream.publisher
            self.file = RecordedFile(
                self.options.path(self.stream.name, self._newest), _writer(self.options, part)
            )
            self.open_files.append(self.file)
        file = self.file
        assert file is not None
        file.writer.add(part.entries)
        data = file.writer.take()
        if part.begins:
            if not data:
                self._fail("it has no track that MP4 can carry")
                return
            self._work.append(file.output.open)
        if data:
            self._work.append(partial(file.output.append, data))
            self._waiting_bytes += len(data)
        if part.ends:
            file.writer.metadata = self._cutter.metadata
            self._work.append(partial(file.output.finish, file.writer.finish))
            self.file = None

    def _write(self) -> None:
        """Give the threads what there is to do, unless they are at it."""
        if self._writing_since is not None:
            return
        if self._work:
            work, self._work = self._work, []
            size = self._waiting_bytes
            self._writing_since = self._loop.time()
            self._writes.add(self.stream.name.vhost, work, lambda error: self._written(error, size))
        elif self._finishing:
            self._end()

    def _written(self, error: BaseException | None, size: int) -> None:
        self._writing_since = None
        self._waiting_bytes -= size
        if self.ended:
            self._close()
            return
        self._tell_files()
        if isinstance(error, FilesBusyError):
            self._fail(error.detail)
            return
        if isinstance(error, OSError):
            name = f"{error.filename}: " if error.filename else ""
            self._fail(f"{name}{error.strerror or error}")
            return
        if error is not None:
            log.error("record of %s failed", self.stream.name.url, exc_info=error)
            self._fail("an error of the server, which stands in the log")
            return
        self._write()

    def _tell_files(self) -> None:
        """Tell which files the threads have begun and finished."""
        for file in list(self.open_files):
            if file.output.created and not file.told:
                file.told = True
                self._report(RecordStep.BEGAN, file)
            if file.output.finished:
                self.open_files.remove(file)
                self._report(RecordStep.FINISHED, file)

    # --- the end ---

    def _fail(self, reason: str) -> None:
        broken = next((file for file in self.open_files if file.output.created), None)
        self._report(RecordStep.FAILED, broken, reason)
        self.file = None
        if self._writing_since is None:
            self._close()
        # Else a thread still writes: files are closed behind it.
        self._end()

    def _close(self) -> None:
        for file in self.open_files:
            file.output.close()
        self.open_files.clear()

    def _end(self) -> None:
        self.ended = True
        if self._timer is not None:
            self._timer.cancel()
        self._reader.close()
        self._on_end(self)

    def _report(self, step: RecordStep, file: RecordedFile | None, reason: str = "") -> None:
        self._tell(
            RecordEvent(
                step,
                self.stream.name,
                self.stream.id,
                self._client_id,
                self._publisher,
                path=os.path.normpath(file.output.path) if file is not None else "",
                size=file.writer.size if file is not None else 0,
                duration_ms=file.writer.duration_ms if file is not None else 0,
                codecs=tuple(file.writer.codecs.values()) if file is not None else (),
                reason=reason,
            )
        )


def _writer(options: RecordOptions, part: FilePart) -> FileWriter:
    keys = limits.RECORD_KEYS_MAX
    if options.most_ms:
        wanted = options.most_ms * limits.RECORD_KEYS_PER_SECOND // 1000
        keys = min(max(wanted, limits.RECORD_KEYS_MIN), keys)
    return part_writer(part, mp4=options.mp4, keys=keys)
