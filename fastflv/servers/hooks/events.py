"""Hooks after the fact: who has left, what is recorded, which segment is there."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

from fastflv import limits
from fastflv.access.hookbody import Bodies, refusal_of
from fastflv.access.hookfaults import HookFaults
from fastflv.access.hooks import RTMP
from fastflv.access.request import AccessRequest, Action
from fastflv.access.visits import Connection
from fastflv.config.model.hooks import Hooks
from fastflv.net.httpclient import HttpClient
from fastflv.record.event import RecordEvent, RecordStep
from fastflv.servers.hls.event import SegmentEvent
from fastflv.servers.hooks.outbox import Job, Outbox
from fastflv.stream.departures import Departure

log = logging.getLogger(__name__)


class HookEvents:
    """Watches departures, recordings and segments, and tells the hooks of their vhosts.

    Every URL of an event is told, whatever the one before answers. Nobody waits for it.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: HttpClient,
        bodies: Bodies,
        faults: HookFaults,
        *,
        hooks_of: Callable[[str], Hooks | None],
        notify_bytes_of: Callable[[str], int],
    ) -> None:
        """*hooks_of*: the present hooks of a vhost, None where they are off. *notify_bytes_of*: its `hls_nb_notify`."""
        self._loop = loop
        self._client = client
        self._bodies = bodies
        self._faults = faults
        self._hooks_of = hooks_of
        self._notify_bytes_of = notify_bytes_of
        self._boxes: dict[str, Outbox] = {}

    async def stop(self) -> None:
        """Send what waits, for HOOK_STOP_SECONDS at most."""
        tasks = [self._loop.create_task(box.drain()) for box in self._boxes.values() if len(box)]
        if tasks:
            await asyncio.wait(tasks, timeout=limits.HOOK_STOP_SECONDS)
        lost = sum(box.close() for box in self._boxes.values())
        if lost:
            log.error("hooks: %d events were not sent before the end", lost)

    # --- DepartureWatcher ---

    def client_departed(self, departure: Departure) -> None:
        request = departure.request
        hooks = self._hooks_of(request.vhost)
        if hooks is None:
            return
        publish = request.action is Action.PUBLISH
        action, urls = ("on_unpublish", hooks.on_unpublish) if publish else ("on_stop", hooks.on_stop)
        if urls:
            self._post(request, action, urls, self._bodies.of_stream(action, request, departure.stream_id))

    def connection_departed(self, connection: Connection) -> None:
        hooks = self._hooks_of(connection.request.vhost)
        if hooks is not None and hooks.on_close:
            body = self._bodies.close(connection.request, connection.sent, connection.received)
            self._post(connection.request, "on_close", hooks.on_close, body)

    # --- watchers of recordings and segments ---

    def recorded(self, event: RecordEvent) -> None:
        hooks = self._hooks_of(event.name.vhost)
        publisher = event.publisher
        if event.step is RecordStep.FINISHED and hooks is not None and hooks.on_dvr and publisher is not None:
            body = self._bodies.of_stream(
                "on_dvr", publisher, event.stream_id, cwd=os.getcwd(), file=event.path
            )
            self._post(publisher, "on_dvr", hooks.on_dvr, body)

    def segment_stored(self, event: SegmentEvent) -> None:
        publisher = event.publisher
        hooks = self._hooks_of(publisher.vhost)
        if hooks is None:
            return
        if hooks.on_hls:
            body = self._bodies.of_stream(
                "on_hls",
                publisher,
                event.stream_id,
                duration=event.duration_ms / 1000,
                cwd=os.getcwd(),
                file=os.path.join(event.folder, event.path) if event.folder else "",
                url=event.uri if _is_url(event.uri) else event.path,
                m3u8=os.path.join(event.folder, event.playlist) if event.folder else "",
                m3u8_url=event.playlist,
                seq_no=event.number,
            )
            self._post(publisher, "on_hls", hooks.on_hls, body)
        for url in hooks.on_hls_notify:
            filled = event.uri if _is_url(event.uri) else self._filled(url, publisher, event.uri)
            self._put(publisher, partial(self._notify, publisher, url, filled))

    def _filled(self, url: str, publisher: AccessRequest, ts_url: str) -> str:
        values = {
            "[server_id]": self._bodies.server_id,
            "[service_id]": self._bodies.service_id,
            "[app]": quote(publisher.app),
            "[stream]": quote(publisher.stream),
            "[ts_url]": ts_url,
            "[param]": publisher.param,
        }
        for word, value in values.items():
            url = url.replace(word, value)
        return url

    # --- sending ---

    def _post(self, request: AccessRequest, action: str, urls: tuple[str, ...], body: bytes) -> None:
        async def tell() -> None:
            for url in urls:
                reply = await self._client.send("POST", url, body)
                why = reply.fault or refusal_of(reply.status, reply.body, limits.HOOK_REPLY_BYTES_MAX)
                self._faults.note(action, url, why)

        self._put(request, tell)

    def _put(self, request: AccessRequest, job: Job) -> None:
        box = self._boxes.get(request.vhost)
        if box is None:
            box = self._boxes[request.vhost] = Outbox(self._loop, request.vhost)
        box.put(request.peer.id if request.scheme in RTMP else request.client_id, job)

    async def _notify(self, publisher: AccessRequest, template: str, url: str) -> None:
        """Have a cache fetch a segment; what it answers is of no interest."""
        reply = await self._client.send(
            "GET",
            url,
            most=self._notify_bytes_of(publisher.vhost),
            seconds=limits.HOOK_NOTIFY_SECONDS,
        )
        self._faults.note("on_hls_notify", template, reply.fault)


def _is_url(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))
