"""Requests on streams: recordings begin, end and show how far they are."""

from __future__ import annotations

import os

from fastflv.record.recorder import Recorder
from fastflv.record.recorders import Recorders
from fastflv.servers.recordings.request import RecordRequest
from fastflv.stream.hub import Hub


class RecordedStreams:
    """The streams that requests have recorded."""

    def __init__(self, hub: Hub, recorders: Recorders) -> None:
        self._hub = hub
        self._recorders = recorders

    def start(self, request: RecordRequest) -> None:
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
