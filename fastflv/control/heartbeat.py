"""`heartbeat { }`: a POST from time to time, by which a registry knows that the server is there."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping

from fastflv.access.hookfaults import HookFaults
from fastflv.config.endpoint import Endpoint
from fastflv.config.grammar.problems import Problems
from fastflv.config.masking import masked
from fastflv.config.model.server import Heartbeat, Settings
from fastflv.net.httpclient import HttpClient, url_fault
from fastflv.servers.api.identity import Identity
from fastflv.servers.api.network import address


def check_heartbeat(settings: Settings, problems: Problems) -> None:
    """Add a problem for a URL that cannot be asked."""
    heartbeat = settings.heartbeat
    fault = url_fault(heartbeat.url) if heartbeat.enabled else ""
    if fault and settings.source is not None:
        at = settings.source.sub("heartbeat").value("url")
        assert at is not None
        problems.add(at.error(f"'{masked(heartbeat.url)}' {fault}", "write the whole URL of the registry"))


class HeartbeatTimer:
    """Sends the heartbeats of one server, one at a time: one that is answered late puts off the next."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        identity: Identity,
        summary: Callable[[], Mapping[str, object]],
    ) -> None:
        """*summary*: `data` of /api/v1/summaries."""
        self._loop = loop
        self._identity = identity
        self._summary = summary
        self._faults = HookFaults()
        self._settings = Settings()
        self._task: asyncio.Task[None] | None = None

    def adopt(self, settings: Settings) -> None:
        """Send the heartbeats of *settings* from now on, the first at once where they differ from before."""
        before, self._settings = self._settings, settings
        if self._task is not None and settings.heartbeat == before.heartbeat:
            return
        self._cancel()
        if settings.heartbeat.enabled:
            self._task = self._loop.create_task(self._beat(settings.heartbeat))

    async def stop(self) -> None:
        """Send no more."""
        task = self._task
        self._cancel()
        if task is not None:
            await asyncio.wait([task])

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _beat(self, heartbeat: Heartbeat) -> None:
        client = HttpClient(self._loop)
        try:
            while True:
                next_time = self._loop.time() + heartbeat.interval
                reply = await client.send("POST", heartbeat.url, self._body())
                self._faults.note("heartbeat", heartbeat.url, reply.fault)
                await asyncio.sleep(next_time - self._loop.time())
        finally:
            await client.close()

    def _body(self) -> bytes:
        """The fields of SRS 7."""
        settings, heartbeat = self._settings, self._settings.heartbeat
        fields: dict[str, object] = {
            "device_id": heartbeat.device_id,
            "ip": os.environ.get("SRS_DEVICE_IP") or address(settings.stats.network),
            "server": self._identity.server,
            "service": self._identity.service,
            "pid": str(os.getpid()),
        }
        if heartbeat.summaries:
            fields["summaries"] = {"data": self._summary()}
        if heartbeat.ports:
            fields["rtmp"] = _texts(settings.listen)
            if settings.http_server.enabled:
                fields["http"] = _texts(settings.http_server.listen)
            if settings.http_api.enabled:
                fields["api"] = _texts(settings.http_api.listen)
        return json.dumps(fields).encode()


def _texts(endpoints: tuple[Endpoint, ...]) -> list[str]:
    return [str(each) for each in endpoints]
