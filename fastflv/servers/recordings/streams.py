"""Requests on streams: recordings begin, end and show how far they are."""

from __future__ import annotations

import asyncio
import logging
import os
from functools import partial
from typing import TYPE_CHECKING

from fastflv.net.filepool import FileShare
from fastflv.record.recorders import Recorders
from fastflv.servers.recordings.request import RecordRequest
from fastflv.stream.hub import Hub

if TYPE_CHECKING:
    from fastflv.record.recorder import Recorder

log = logging.getLogger(__name__)


class RecordedStreams:
    """The streams that requests have recorded."""

    def __init__(self, hub: Hub, recorders: Recorders, share: FileShare) -> None:
        self._hub = hub
        self._recorders = recorders
        self._share = share

    def start(self, request: RecordRequest) -> None:
        if self._recorders.loaded or self._hub.find(request.name) is None:
            self._start(request)
        else:
            request.run(self._share, self._recorders.load, partial(self._loaded, request))

    def _loaded(self, request: RecordRequest, done: asyncio.Future[None]) -> None:
        error = done.exception()
        if error is None:
            self._start(request)
        else:
            log.error("api: what records cannot be loaded: %s", error)
            request.refuse(503, "what records cannot be loaded")

    def _start(self, request: RecordRequest) -> None:
        stream = self._hub.find(request.name)
        if stream is None:
            request.refuse(404, f"nobody publishes {request.name.url}")
            return
        self._recorders.start(stream, request.site.options)
        self.status(request)

    def stop(self, request: RecordRequest) -> None:
        recorder = self._recorders.stop_recording(request.name)
        if recorder is None:
            request.refuse(404, f"no request has {request.name.url} recorded")
        else:
            request.reply(**_state(recorder) | {"recording": False})

    def status(self, request: RecordRequest) -> None:
        recorder = self._recorders.of(request.name)
        if recorder is None:
            request.reply(stream=request.name.url, recording=False)
        else:
            request.reply(**_state(recorder))


def _state(recorder: Recorder) -> dict[str, object]:
    file = recorder.newest
    return {
        "recording": not recorder.ended,
        "stream": recorder.stream.name.url,
        "file": os.path.normpath(file.output.path) if file is not None else "",
        "size": file.writer.size if file is not None else 0,
        "duration": file.writer.duration_ms / 1000 if file is not None else 0.0,
        "tracks": list(file.writer.codecs.values()) if file is not None else [],
    }
