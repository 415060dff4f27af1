"""The live streams that a viewer may play, and where: what the pages show."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import islice
from typing import Final, TypeAlias
from urllib.parse import quote

from fastflv import limits
from fastflv.access.gate import Gate
from fastflv.access.request import Action
from fastflv.access.verdict import Allowed
from fastflv.config.model.webserver import HttpApi
from fastflv.config.routes import STREAMS_JSON, Route, play_paths
from fastflv.containers.variant import Variant
from fastflv.errors import UsageError
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import SERVER, Response
from fastflv.servers.api.streams import audio_of, video_of
from fastflv.servers.http.accessrequest import access_request
from fastflv.servers.http.dispatch import fail
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Phase, Stream

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveStream:
    """A stream as a page shows it."""

    app: str
    stream: str
    url: str
    "Of the stream, as logs have it."

    outputs: list[dict[str, str]]
    "`container` and `path`: on this port, percent-encoded, with the query of the page."

    rtmp: str
    "URL; empty without RTMP."

    video: dict[str, object] | None
    "As the API has it; None without."

    audio: dict[str, object] | None


Found: TypeAlias = Callable[[list[LiveStream]], None]
FIELDS: Final = tuple(field.name for field in fields(LiveStream))


class LiveStreams:
    """Lists streams through the gate: a viewer sees those that the rules would let them play.

    A list is no play: it asks nobody, counts nothing and claims nothing. So a stream that a hook or a callback
    guards is on no list, and is found by who knows its name.

    Where several workers serve, each is asked for all of its streams; the worker that the viewer has reached judges.
    """

    def __init__(
        self,
        hub: Hub,
        gate: Gate,
        *,
        routes_of: Callable[[str], tuple[Route, ...]],
        rtmp_port: Callable[[], int],
        http_api: Callable[[], HttpApi],
    ) -> None:
        """*routes_of*: the routes of a vhost by name. *rtmp_port*: 0 without."""
        self._hub = hub
        self._gate = gate
        self._routes_of = routes_of
        self._rtmp_port = rtmp_port
        self._http_api = http_api
        self._rows: dict[str, tuple[float, LiveStream]] = {}
        "By the id of a stream: what is the same for all viewers, and until when."
        self.others: Callable[[str], Awaitable[list[bytes]]] | None = None
        "Returns what each worker of the server answers to a target, this one too; None where it is one process."
        self._gathered: dict[str, tuple[float, list[LiveStream]]] = {}
        "By vhost: the streams of all workers, and until when."
        self._waiting: dict[str, list[tuple[Exchange, Found]]] = {}
        "By vhost: who waits for them; the workers are asked once for all."
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def listed(self) -> bool:
        """Names of streams are for all: an API that asks for a password does not show them either."""
        return not self._http_api().auth.enabled

    def find(self, exchange: Exchange, vhost: str, found: Found) -> None:
        """Call *found* with the streams of *vhost* that the viewer may play, now or later; none where names are not listed.

        They are at most PAGE_STREAMS_MAX, of those that could be looked at within PAGE_QUESTIONS_SECONDS, the oldest first.
        A worker that asks judges for itself, and has PAGE_ROWS_MAX.
        """
        if not self.listed:
            found([])
        elif exchange.request.peer.own:
            self._begin(self._list(exchange, vhost, found))
        elif self.others is None:
            found(
                self._shown(
                    exchange, ((each.name, partial(self._shared, each)) for each in self._live(vhost))
                )
            )
        else:
            until, rows = self._gathered.get(vhost, (0.0, []))
            if until > time.monotonic():
                found(self._shown(exchange, _named(vhost, rows)))
                return
            waiting = self._waiting.setdefault(vhost, [])
            waiting.append((exchange, found))
            if len(waiting) == 1:
                self._begin(self._gather(vhost, self.others))

    def answer(self, exchange: Exchange, vhost: str) -> None:
        """Answer with them as JSON."""
        self.find(exchange, vhost, lambda rows: self._answer(exchange, rows))

    def _answer(self, exchange: Exchange, rows: list[LiveStream]) -> None:
        api = self._http_api()
        said = {
            "server": SERVER,
            "now_ms": round(time.time() * 1000),
            "listed": self.listed,
            "console": api.enabled and api.console,
            "streams": [{name: getattr(row, name) for name in FIELDS} for row in rows],
        }
        answer = Response.of_json(said)
        answer.headers |= {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        exchange.respond(answer)

    def _begin(self, step: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(step)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _list(self, exchange: Exchange, vhost: str, found: Found) -> None:
        """Answer another worker with all streams, over some turns of the loop."""
        rows: list[LiveStream] = []
        ends = time.thread_time() + limits.PAGE_QUESTIONS_SECONDS
        try:
            for stream in list(islice(self._live(vhost), limits.PAGE_ROWS_MAX)):
                rows.append(self._row(exchange, stream.name, self._shared(stream)))
                if time.thread_time() > ends:
                    await asyncio.sleep(0)
                    ends = time.thread_time() + limits.PAGE_QUESTIONS_SECONDS
            found(rows)
        except Exception:
            fail(exchange)

    async def _gather(self, vhost: str, others: Callable[[str], Awaitable[list[bytes]]]) -> None:
        """Ask all workers, and answer all who wait meanwhile."""
        rows: list[LiveStream] = []
        try:
            rows += _rows_of(await others(f"{STREAMS_JSON}?vhost={quote(vhost)}"))
        except OSError as error:
            log.warning("no worker lists its streams: %s", error)
        except Exception:
            log.exception("the lists of the workers cannot be put together")
        self._gathered[vhost] = time.monotonic() + limits.PAGE_ROW_SECONDS, rows
        for exchange, found in self._waiting.pop(vhost):
            try:
                found(self._shown(exchange, _named(vhost, rows)))
            except Exception:
                fail(exchange)
            await asyncio.sleep(0)

    def _live(self, vhost: str) -> Iterator[Stream]:
        for stream in self._hub:
            if stream.name.vhost == vhost and stream.phase is Phase.LIVE and stream.settled:
                yield stream

    def _shown(
        self, exchange: Exchange, streams: Iterable[tuple[StreamName, Callable[[], LiveStream]]]
    ) -> list[LiveStream]:
        """Return those of *streams*, each with its row, that the viewer may play, as it is shown them."""
        found: list[LiveStream] = []
        # The clock of the thread: what else the machine does hides no stream.
        ends = time.thread_time() + limits.PAGE_QUESTIONS_SECONDS
        for name, row in streams:
            if self._may_play(exchange, name):
                found.append(self._row(exchange, name, row()))
            if len(found) == limits.PAGE_STREAMS_MAX or time.thread_time() > ends:
                break
        return found

    def _may_play(self, exchange: Exchange, name: StreamName) -> bool:
        asked = access_request(exchange.request, Action.PLAY, name, "flv-play", exchange.scheme, "page")
        return isinstance(self._gate.preview(asked), Allowed)

    def _row(self, exchange: Exchange, name: StreamName, row: LiveStream) -> LiveStream:
        query, port = exchange.request.query, self._rtmp_port()
        return replace(
            row,
            outputs=[{**output, "path": f"{output['path']}?{query}"} for output in row.outputs]
            if query
            else row.outputs,
            rtmp=_rtmp_url(exchange, name, port) if port else "",
        )

    def _shared(self, stream: Stream) -> LiveStream:
        """Return the row of *stream* without what depends on its viewer."""
        now = time.monotonic()
        until, row = self._rows.get(stream.id, (0.0, None))
        if row is None or until <= now:
            if len(self._rows) >= 2 * limits.PAGE_ROWS_MAX:
                self._rows.clear()
            name = stream.name
            row = LiveStream(
                name.app,
                name.stream,
                name.url,
                list(self._outputs(stream)),
                "",
                video_of(stream, parsed=True),
                audio_of(stream),
            )
            self._rows[stream.id] = now + limits.PAGE_ROW_SECONDS, row
        return row

    def _outputs(self, stream: Stream) -> Iterator[dict[str, str]]:
        name = stream.name
        for container, path, args in play_paths(self._routes_of(name.vhost), name.app, name.stream):
            if container == "hls" or _plays(stream, container, args):
                yield {"container": container, "path": quote(path)}


def _named(vhost: str, rows: list[LiveStream]) -> Iterator[tuple[StreamName, Callable[[], LiveStream]]]:
    """Yield rows of all workers, each with its name, as `_shown` judges them."""
    for row in rows:
        yield StreamName(vhost, row.app, row.stream), partial(replace, row)


def _rows_of(answers: Iterable[bytes]) -> Iterator[LiveStream]:
    """Yield each stream that workers list, once: a worker also lists those that it fetches from another one."""
    seen = set()
    for answer in answers:
        for each in json.loads(answer)["streams"]:
            row = LiveStream(**each)
            if row.url not in seen:
                seen.add(row.url)
                yield replace(
                    row,
                    outputs=[{**output, "path": output["path"].partition("?")[0]} for output in row.outputs],
                )


def _plays(stream: Stream, container: str, args: dict[str, str]) -> bool:
    try:
        return not stream.refusal(Variant(container).asked(args))
    except UsageError:
        return False


def _rtmp_url(exchange: Exchange, name: StreamName, port: int) -> str:
    host = exchange.request.host or "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    vhost = exchange.request.args.get("vhost") or exchange.request.args.get("domain")
    query = f"?vhost={quote(vhost)}" if vhost else ""
    return f"rtmp://{host}{'' if port == 1935 else f':{port}'}/{quote(name.app)}/{quote(name.stream)}{query}"
