"""`fastflv.Server`: a server within another program, beside its event loop."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from fastflv import limits
from fastflv.access.request import AccessRequest, Action
from fastflv.access.visits import Visits
from fastflv.config.load import load, load_text
from fastflv.config.model.server import Settings
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.control.server import Server as Core
from fastflv.embed.aftercall import AfterCalls, Told, ToldClient, ToldConnection, ToldRecord, ToldSegment
from fastflv.embed.call import Caller
from fastflv.embed.callback import CallbackRule, Decide
from fastflv.embed.corethread import CoreThread
from fastflv.embed.event import EventFeed, Events
from fastflv.embed.publisher import Publisher
from fastflv.embed.reader import Reader
from fastflv.embed.taps import Begin, Taps
from fastflv.embed.views import ClientView, StreamView, sent_to_players, view_clients, view_streams
from fastflv.embed.watchdog import Watchdog
from fastflv.errors import UsageError
from fastflv.net.clientid import new_id
from fastflv.net.peer import Peer
from fastflv.playing.join import Fetching, JoinFailure
from fastflv.servers.push.intake import Intakes
from fastflv.stream.departures import Departures
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName, fault_of

Deciding = TypeVar("Deciding", bound=Decide)
ToldOfClient = TypeVar("ToldOfClient", bound=ToldClient)
ToldOfConnection = TypeVar("ToldOfConnection", bound=ToldConnection)
ToldOfRecord = TypeVar("ToldOfRecord", bound=ToldRecord)
ToldOfSegment = TypeVar("ToldOfSegment", bound=ToldSegment)

Config = Settings | str | os.PathLike[str] | None
"""A configuration: settings, the path of a file, or its text.

A string with a line break, `;` or `{` is text, any other one a path. None: the built-in configuration.
"""

IN_PROCESS = Peer("", "")
"The program itself: rules see it as a peer without an address."


def settings_of(config: Config, environ: Mapping[str, str]) -> Settings:
    """Return the settings that *config* stands for. Raises ConfigError."""
    if isinstance(config, Settings):
        return config
    if isinstance(config, str) and any(mark in config for mark in "\n;{"):
        return load_text(config, environ=environ)
    return load(os.fspath(config) if config is not None else None, environ=environ)


def parse_name(path: str | StreamName, vhost: str = "") -> StreamName:
    """Return the name that *path*, as `live/x`, stands for. Raises UsageError for one that no stream has."""
    if isinstance(path, StreamName):
        return path
    app, _, stream = path.strip("/").rpartition("/")
    if not app or not stream:
        raise UsageError(f"'{path}' names no stream: write it as app/stream, for example live/x")
    for part in (app, stream):
        if fault := fault_of(part):
            raise UsageError(f"'{path}' is a name {fault}")
    return StreamName(vhost or DEFAULT_VHOST, app, stream)


def _go_on_waiting(failure: JoinFailure, why: str) -> None:
    """No origin has a stream that a reader waits for: it waits for a publisher."""


def _fetch(core: Core, name: StreamName) -> Fetching | None:
    """Have the stream of a reader fetched, where the vhost is an edge."""
    request = AccessRequest(
        Action.PLAY,
        IN_PROCESS,
        new_id(),
        name.vhost,
        name.app,
        name.stream,
        output="python-play",
        scheme="python",
    )
    pulls = core.parts.pulls()
    return (
        pulls.fetch(request, name, _go_on_waiting, limits.READER_WAITS_SECONDS) if pulls is not None else None
    )


class Server:
    """A live server beside the running event loop: `async with fastflv.Server(config) as server`.

    Entering opens the listeners, leaving ends streams and disconnects everybody. The server runs in a thread of its own, so what
    holds the loop delays no media. What is awaited belongs to the loop that has entered; `streams`, `clients`, `disconnect`, `reload` and
    `ports` may be used on any thread. Signals, the pid file, the log file and `daemon` are left to the program; log
    lines go to the logger `fastflv`. Where the server fails, all that waits for it or asks it raises ServerFailedError, and so does
    the end of the block.
    """

    def __init__(
        self,
        config: Config = None,
        *,
        environ: Mapping[str, str] | None = None,
        on_connect: Decide | None = None,
        on_publish: Decide | None = None,
        on_play: Decide | None = None,
        on_record: Decide | None = None,
        on_close: ToldConnection | None = None,
        on_unpublish: ToldClient | None = None,
        on_stop: ToldClient | None = None,
        on_dvr: ToldRecord | None = None,
        on_hls: ToldSegment | None = None,
        on_hls_notify: ToldSegment | None = None,
        callback_seconds: float = limits.CALLBACK_SECONDS,
        callbacks_max: int = limits.CALLBACKS_MAX,
    ) -> None:
        """*environ*: SRS_* variables over the configuration; None: none. Raises ConfigError.

        *callback_seconds*, *callbacks_max*: the time that each callback has, and how many requests wait for one at most.
        """
        self._environ = environ or {}
        self._settings = settings_of(config, self._environ)
        self._thread: CoreThread | None = None
        self._core: Core
        self._taps: Taps
        self._feed = EventFeed()
        self._watchdog: Watchdog | None = None
        self._visits = Visits()
        self._caller = Caller()
        self._rule = CallbackRule(self._caller, self._visits, seconds=callback_seconds, most=callbacks_max)
        self._after = AfterCalls(self._caller, callback_seconds)
        decides = {
            "on_connect": on_connect,
            "on_publish": on_publish,
            "on_play": on_play,
            "on_record": on_record,
        }
        tells: dict[str, Told | None] = {
            "on_close": on_close,
            "on_unpublish": on_unpublish,
            "on_stop": on_stop,
            "on_dvr": on_dvr,
            "on_hls": on_hls,
            "on_hls_notify": on_hls_notify,
        }
        for hook, decide in decides.items():
            if decide is not None:
                self._rule.add(hook, decide)
        for hook, told in tells.items():
            if told is not None:
                self._after.add(hook, told)

    # --- callbacks that decide: decorators ---

    def on_connect(self, callback: Deciding) -> Deciding:
        """Have *callback* decide about the first publish or play of each RTMP connection, before the callbacks below."""
        self._rule.add("on_connect", callback)
        return callback

    def on_publish(self, callback: Deciding) -> Deciding:
        """Have *callback* decide about each publish, behind the rules and hooks of the configuration."""
        self._rule.add("on_publish", callback)
        return callback

    def on_play(self, callback: Deciding) -> Deciding:
        """Have *callback* decide about each play of every protocol."""
        self._rule.add("on_play", callback)
        return callback

    def on_record(self, callback: Deciding) -> Deciding:
        """Have *callback* decide about each request to the recording API."""
        self._rule.add("on_record", callback)
        return callback

    # --- callbacks that are told: decorators ---

    def on_close(self, callback: ToldOfConnection) -> ToldOfConnection:
        """Have *callback* told of each RTMP connection that was admitted and is closed, behind those of its clients."""
        self._after.add("on_close", callback)
        return callback

    def on_unpublish(self, callback: ToldOfClient) -> ToldOfClient:
        """Have *callback* told of each publisher that was admitted and has left."""
        self._after.add("on_unpublish", callback)
        return callback

    def on_stop(self, callback: ToldOfClient) -> ToldOfClient:
        """Have *callback* told of each player that was admitted and has left, also where its stream never came."""
        self._after.add("on_stop", callback)
        return callback

    def on_dvr(self, callback: ToldOfRecord) -> ToldOfRecord:
        """Have *callback* told of each recorded file that is finished."""
        self._after.add("on_dvr", callback)
        return callback

    def on_hls(self, callback: ToldOfSegment) -> ToldOfSegment:
        """Have *callback* told of each segment that is stored and in the playlist."""
        self._after.add("on_hls", callback)
        return callback

    def on_hls_notify(self, callback: ToldOfSegment) -> ToldOfSegment:
        """Have *callback* told of the same segments, for caches: a slow one delays no on_hls."""
        self._after.add("on_hls_notify", callback)
        return callback

    # --- life ---

    async def __aenter__(self) -> Self:
        """Start. Raises StartupError, and ConfigError for values that cannot be used."""
        if self._thread is not None:
            raise UsageError("a server is started once: make another one")
        thread = self._thread = CoreThread(self._start, self._stop)
        self._rule.begin(thread.program.post, thread.post)
        self._after.begin(thread.program)
        try:
            await thread.start()
        except BaseException:
            await self._after.stop()
            self._caller.close()
            raise
        self._watchdog = Watchdog(asyncio.get_running_loop(), thread.abandon)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop: publishers are disconnected, players get what is there, recordings are finished.

        Raises ServerFailedError where the server has failed, unless the block raises already.
        """
        thread = self._thread
        assert thread is not None
        try:
            await thread.stop()
            if error is None:
                thread.check()
        finally:
            if self._watchdog is not None:
                self._watchdog.close()
            await self._after.stop()
            self._caller.close()

    def reload(self, config: Config) -> None:
        """Put *config* in force beside what runs. Raises ConfigError or StartupError; then nothing has changed."""
        settings = settings_of(config, self._environ)
        self._running().call(lambda: self._core.reload(settings))

    def ports(self, name: str) -> list[int]:
        """Return the ports in use for `RTMP`, `RTMPS`, `HTTP`, `HTTPS` or `HTTP API`, in the order of the configuration."""
        return self._running().call(lambda: self._core.listeners.ports(name))

    # --- media ---

    def stream(self, path: str | StreamName, *, vhost: str = "", begin: Begin = Begin.GOP) -> Reader:
        """Read the stream *path*, as `live/x`, of *vhost* by its name; empty: the default one. Events have names whole.

        No rule is asked: the program is no client. Raises UsageError for a name that no stream has.
        """
        return Reader(self._running(), self._taps, parse_name(path, vhost), begin)

    def publish(self, path: str | StreamName, *, vhost: str = "", param: str = "") -> Publisher:
        """Publish the stream *path*, as `live/x`: `async with server.publish("live/x") as publisher`.

        Rules and callbacks are asked, and see the scheme `python`, no address, and *param*, a query with its `?`.
        Raises UsageError for a name that no stream has, or a vhost that is not configured.
        """
        thread, core = self._running(), self._core
        name = parse_name(path, vhost)
        if name.vhost not in core.runtime.vhosts:
            raise UsageError(f"no vhost {name.vhost} is configured")
        request = AccessRequest(
            Action.PUBLISH,
            IN_PROCESS,
            new_id(),
            name.vhost,
            name.app,
            name.stream,
            output="python-publish",
            scheme="python",
            param=param,
        )
        intakes = Intakes(core.publications, core.turns, lambda vhost: core.runtime.vhosts[vhost].publish)
        return Publisher(thread, intakes, request, name)

    # --- what there is: from any thread ---

    @property
    def streams(self) -> tuple[StreamView, ...]:
        """All streams, live or within their grace period."""
        thread, core = self._running(), self._core
        sent: Counter[str] = Counter()
        for stream_id, size in thread.collect(sent_to_players(core.clients)):
            sent[stream_id] += size
        return thread.collect(view_streams(core.hub, core.clients, sent, thread.loop.time))

    @property
    def clients(self) -> tuple[ClientView, ...]:
        """All publishers and players that were admitted, in the order they came."""
        thread = self._running()
        return thread.collect(view_clients(self._core.clients, thread.loop.time))

    def disconnect(self, client_id: str) -> bool:
        """Disconnect a client; return whether there was one of this id."""
        return self._running().call(self._disconnect, client_id)

    def events(self) -> Events:
        """Return what happens from now on: `async for event in server.events()`."""
        thread = self._running()
        return thread.call(self._feed.open, thread.program)

    # --- in the thread of the server ---

    async def _start(self) -> None:
        """Make the core and start it. Raises as `__aenter__`."""
        thread = self._thread
        assert thread is not None
        core = Core(self._settings, thread.loop)
        departures = Departures(self._visits, self._after)
        core.hub.watchers.append(self._feed)
        core.clients.joined.append(self._feed.client_joined)
        core.clients.left += (self._feed.client_left, departures.client_left)
        core.clients.arrivals.watchers.append(departures.arrival_over)
        core.rtmp.watchers.append(departures.connection_closed)
        core.recorders.watchers += (self._feed.put, self._after.recorded)
        core.segment_watchers.append(self._after.segment_stored)
        core.gate.rules.append(self._rule)
        await core.start()
        self._taps = Taps(thread.loop, core.hub, thread.program, partial(_fetch, core))
        self._core = core

    async def _stop(self) -> None:
        self._rule.close()
        await self._core.stop()
        self._taps.stop()
        self._feed.close()

    def _disconnect(self, client_id: str) -> bool:
        client = self._core.clients.find(client_id)
        if client is not None:
            client.drop(EndReason.KICKED)
        return client is not None

    # --- inside ---

    def _running(self) -> CoreThread:
        """Return the thread, once it has made `_core` and `_taps`. Raises ServerFailedError where it has failed."""
        if self._thread is None or not self._thread.running:
            raise UsageError("the server is not started: use it within `async with fastflv.Server(...)`")
        self._thread.check()
        return self._thread
