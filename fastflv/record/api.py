"""The recording API: begins and ends recordings, lists, sends and deletes files; all of it with the consent of the gate."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from fastflv import limits
from fastflv.access.gate import Gate
from fastflv.access.request import AccessRequest, Action
from fastflv.access.verdict import Allowed, Refusal, Refused, Verdict
from fastflv.errors import FilesBusyError
from fastflv.net.filepool import FileShare
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.record.library import Described, list_recordings, remove_recording
from fastflv.record.options import ENDINGS, RecordOptions
from fastflv.record.output import TEMPORARY
from fastflv.record.recorder import Recorder
from fastflv.record.recorders import Recorders
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName, fault_of

log = logging.getLogger(__name__)

FILES = "/api/v1/recordings"
STREAMS = "/flv/record/"

Send = Callable[[Exchange, tuple[tuple[str, str], ...], Callable[[], None]], None]
"Answers with a file below a directory; calls the last argument where there is none."


@dataclass(frozen=True, slots=True)
class RecordSite:
    """What the API records of a vhost, and where."""

    vhost: str
    folder: str
    "`record_path`."
    options: RecordOptions


class RecordApi:
    """Answers requests below STREAMS and FILES."""

    def __init__(
        self,
        hub: Hub,
        gate: Gate,
        recorders: Recorders,
        files: FileShare,
        *,
        send: Send,
        new_id: Callable[[], str],
    ) -> None:
        self._hub = hub
        self._gate = gate
        self._recorders = recorders
        self._files = files
        self._send = send
        self._new_id = new_id

    def handle(self, exchange: Exchange, site: RecordSite) -> None:
        """Answer, at once or later."""
        request = exchange.request
        path, method = request.path, request.method
        looks = method in ("GET", "HEAD")
        if path.startswith(STREAMS):
            word, _, stream = path.removeprefix(STREAMS).partition("/")
            name = _stream_name(site.vhost, stream)
            if word not in ("list", "start", "stop", "status"):
                _no(exchange, 404)
            elif not looks if word in ("list", "status") else method != "POST":
                _no(exchange, 405, "POST starts and stops, GET lists and shows")
            elif word == "list":
                self._admit(exchange, site, None, lambda: self._list(exchange, site))
            elif name is None:
                _no(exchange, 400, "the path of a stream is app/stream")
            elif word == "status":
                self._admit(exchange, site, name, partial(self._status, exchange, name))
            elif word == "start":
                self._admit(exchange, site, name, partial(self._start, exchange, site, name))
            else:
                self._admit(exchange, site, name, partial(self._stop, exchange, name))
            return
        file = path.removeprefix(FILES)
        if file.strip("/") and file[0] == "/":
            file = file[1:]
            folder, _, last = file.rpartition("/")
            name = StreamName(site.vhost, folder, last.partition(".")[0])
            if method == "DELETE":
                self._admit(exchange, site, name, lambda: self._remove(exchange, site, file))
            elif looks:
                self._admit(exchange, site, name, lambda: self._download(exchange, site, file))
            else:
                _no(exchange, 405)
        elif file.strip("/"):
            _no(exchange, 404)
        elif looks:
            self._admit(exchange, site, None, lambda: self._list(exchange, site))
        else:
            _no(exchange, 405)

    # --- the gate ---

    def _admit(
        self, exchange: Exchange, site: RecordSite, name: StreamName | None, act: Callable[[], None]
    ) -> None:
        """Ask the gate, then act."""
        request = exchange.request
        access = AccessRequest(
            action=Action.RECORD,
            peer=request.peer,
            client_id=self._new_id(),
            vhost=site.vhost,
            app=name.app if name is not None else "",
            stream=name.stream if name is not None else "",
            output="record",
            scheme=exchange.scheme,
            param=f"?{request.query}" if request.query else "",
            page_url=request.headers.get("referer", "")[: limits.PAGE_URL_CHARS_MAX],
            tc_url=f"{exchange.scheme}://{request.headers.get('host', '')}{request.path}",
        )

        def answer(verdict: Verdict) -> None:
            exchange.on_lost = None
            if isinstance(verdict, Allowed):
                act()
                return
            reason = verdict.reason if isinstance(verdict, Refused) else "the stream is recorded elsewhere"
            late = isinstance(verdict, Refused) and verdict.kind is Refusal.UNAUTHORIZED
            log.info("record request from %s refused: %s", request.ip, reason, extra={"peer": request.ip})
            _no(exchange, 401 if late else 403, reason)

        given = self._gate.admit(access, answer)
        if hasattr(given, "cancel"):
            exchange.on_lost = given.cancel
        else:
            answer(given)

    # --- streams ---

    def _start(self, exchange: Exchange, site: RecordSite, name: StreamName) -> None:
        stream = self._hub.find(name)
        if stream is None:
            _no(exchange, 404, f"nobody publishes {name.url}")
            return
        self._recorders.start(stream, site.options)
        self._status(exchange, name)

    def _stop(self, exchange: Exchange, name: StreamName) -> None:
        recorder = self._recorders.stop_recording(name)
        if recorder is None:
            _no(exchange, 404, f"no request has {name.url} recorded")
            return
        _json(exchange, {"code": 0, **_state(recorder), "recording": False})

    def _status(self, exchange: Exchange, name: StreamName) -> None:
        found = self._recorders.of(name)
        state = _state(found) if found is not None else {"stream": name.url, "recording": False}
        _json(exchange, {"code": 0, **state})

    # --- files ---

    def _list(self, exchange: Exchange, site: RecordSite) -> None:
        args = exchange.request.args
        start = _number(args.get("start", ""), 0)
        count = min(max(_number(args.get("count", ""), limits.PAGE_COUNT_DEFAULT), 1), limits.PAGE_COUNT_MAX)
        running = self._running(site.folder)

        def listed(done: asyncio.Future[tuple[list[Described], int]]) -> None:
            if done.cancelled():
                return
            if done.exception() is not None:
                _no(exchange, 503, "the directory cannot be read")
                return
            rows, total = done.result()
            _json(exchange, {"code": 0, "recordings": [_row(each, running) for each in rows], "total": total})

        self._run(exchange, listed, list_recordings, site.folder, start, count)

    def _download(self, exchange: Exchange, site: RecordSite, path: str) -> None:
        if not path.endswith(ENDINGS):
            _no(exchange, 404)
            return
        self._send(exchange, ((site.folder, path),), lambda: _no(exchange, 404))

    def _remove(self, exchange: Exchange, site: RecordSite, path: str) -> None:
        if os.path.normpath(path) in self._running(site.folder):
            _no(exchange, 409, "the file is being recorded")
            return

        def removed(done: asyncio.Future[bool]) -> None:
            if done.cancelled():
                return
            error = done.exception()
            if error is not None:
                _no(exchange, 403, getattr(error, "strerror", "") or "the file cannot be deleted")
            elif done.result():
                ip = exchange.request.ip
                log.info("api: %s deletes the recording %s", ip, path, extra={"peer": ip})
                _json(exchange, {"code": 0})
            else:
                _no(exchange, 404)

        self._run(exchange, removed, remove_recording, site.folder, path)

    def _running(self, folder: str) -> dict[str, Recorder]:
        """Recordings that are being written below *folder*, by the relative paths of their temporary files."""
        root = os.path.abspath(folder)
        return {
            os.path.relpath(os.path.abspath(recorder.file.output.path), root) + TEMPORARY: recorder
            for recorder in self._recorders
            if recorder.file is not None
        }

    def _run(self, exchange: Exchange, then: Callable[..., None], function: Callable[..., object], *args: object) -> None:  # fmt: skip
        try:
            self._files.run(function, *args).add_done_callback(then)
        except FilesBusyError as error:
            _no(exchange, 503, f"{error.detail}; ask again")


def _stream_name(vhost: str, path: str) -> StreamName | None:
    app, _, stream = path.strip("/").removesuffix(".flv").rpartition("/")
    if not app or not stream or fault_of(app) or fault_of(stream):
        return None
    return StreamName(vhost, app, stream)


def _state(recorder: Recorder) -> dict[str, object]:
    file = recorder.file
    return {
        "recording": not recorder.ended,
        "stream": recorder.stream.name.url,
        "file": os.path.normpath(file.output.path) if file is not None else "",
        "size": file.writer.size if file is not None else 0,
        "duration": file.writer.duration_ms / 1000 if file is not None else 0.0,
        "tracks": list(file.writer.codecs.values()) if file is not None else [],
    }


def _row(each: Described, running: dict[str, Recorder]) -> dict[str, object]:
    path = each.found.path
    recorder = running.get(path)
    file = recorder.file if recorder is not None else None
    return {
        "id": path,
        "url": f"{FILES}/{path}",
        "size": each.found.size,
        "duration": file.writer.duration_ms / 1000 if file is not None else each.duration,
        "codecs": list(file.writer.codecs.values()) if file is not None else list(each.codecs),
        "state": "recording" if file is not None else "broken" if path.endswith(TEMPORARY) else "finished",
        "changed": round(each.found.changed, 3),
    }


def _json(exchange: Exchange, value: dict[str, object]) -> None:
    exchange.respond(Response.of_json(value))


def _no(exchange: Exchange, status: int, reason: str = "") -> None:
    """Answer with a status and a reason in JSON."""
    exchange.respond(
        Response.of_json({"code": status, "message": reason or "there is no such thing"}, status)
    )


def _number(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else default
