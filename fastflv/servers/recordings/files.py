"""Requests on files: recordings are listed, sent and deleted."""

from __future__ import annotations

import asyncio
import logging
import os
from functools import partial
from typing import TYPE_CHECKING

from fastflv.config.routes import RECORDINGS
from fastflv.net.filepool import FileShare
from fastflv.record.options import ENDINGS
from fastflv.record.output import TEMPORARY
from fastflv.record.recorders import Recorders
from fastflv.servers.api.paging import page_of
from fastflv.servers.files.server import FileServer
from fastflv.servers.recordings.request import RecordRequest

if TYPE_CHECKING:
    from fastflv.record.library import Described
    from fastflv.record.recorder import RecordedFile

log = logging.getLogger(__name__)


class RecordingFiles:
    """The files below `record_path`."""

    def __init__(self, recorders: Recorders, share: FileShare, files: FileServer) -> None:
        self._recorders = recorders
        self._share = share
        self._files = files

    def show(self, request: RecordRequest) -> None:
        start, count = page_of(request.exchange.request)
        work = partial(_list, request.site.folder, start, count)
        request.run(self._share, work, partial(self._listed, request, self._running()))

    def send(self, request: RecordRequest) -> None:
        if request.path.endswith(ENDINGS):
            self._files.answer(
                request.exchange, ((request.site.folder, request.path),), partial(request.refuse, 404)
            )
        else:
            request.refuse(404)

    def remove(self, request: RecordRequest) -> None:
        if os.path.abspath(os.path.join(request.site.folder, request.path)) in self._running():
            request.refuse(409, "the file is being recorded")
            return
        work = partial(_remove, request.site.folder, request.path)
        request.run(self._share, work, partial(self._removed, request))

    def _listed(
        self,
        request: RecordRequest,
        running: dict[str, RecordedFile],
        done: asyncio.Future[tuple[list[Described], int]],
    ) -> None:
        if done.exception() is not None:
            request.refuse(503, "the directory cannot be read")
            return
        found, total = done.result()
        root = os.path.abspath(request.site.folder)
        rows = [_row(each, running.get(os.path.join(root, each.found.path))) for each in found]
        request.reply(recordings=rows, total=total)

    def _removed(self, request: RecordRequest, done: asyncio.Future[bool]) -> None:
        error = done.exception()
        if error is not None:
            request.refuse(403, getattr(error, "strerror", "") or "the file cannot be deleted")
        elif done.result():
            peer = request.exchange.request.peer
            log.info("api: %s deletes the recording %s", peer.ip, request.path, extra=peer.marks)
            request.reply()
        else:
            request.refuse(404)

    def _running(self) -> dict[str, RecordedFile]:
        """Files that are being written or finished, by the full paths of their temporary names."""
        # One question for the directory: `abspath` asks for each file, and there may be thousands.
        here = os.getcwd()
        files = (file for recorder in self._recorders for file in recorder.open_files)
        return {os.path.normpath(os.path.join(here, file.output.path)) + TEMPORARY: file for file in files}


def _list(folder: str, start: int, count: int) -> tuple[list[Described], int]:
    # On a thread: a server that is never asked does not load what reads media files.
    from fastflv.record.library import list_recordings

    return list_recordings(folder, start, count)


def _remove(folder: str, path: str) -> bool:
    from fastflv.record.library import remove_recording

    return remove_recording(folder, path)


def _row(each: Described, file: RecordedFile | None) -> dict[str, object]:
    """*file*: where it is being written."""
    path = each.found.path
    return {
        "id": path,
        "url": f"{RECORDINGS}/{path}",
        "size": each.found.size,
        "duration": file.writer.duration_ms / 1000 if file is not None else each.duration,
        "codecs": list(file.writer.codecs.values()) if file is not None else list(each.codecs),
        "state": "recording" if file is not None else "broken" if path.endswith(TEMPORARY) else "finished",
        "changed": round(each.found.changed, 3),
    }
