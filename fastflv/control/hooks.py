"""The hooks of one server: their rules, their events, and the client that both send with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import fields

from fastflv.access.hookbody import Bodies
from fastflv.access.hookfaults import HookFaults
from fastflv.access.hooks import RTMP, HookRule
from fastflv.access.request import AccessRequest
from fastflv.access.rule import Rule
from fastflv.access.visits import Visits
from fastflv.config.grammar.problems import Problems
from fastflv.config.masking import masked
from fastflv.config.model.hooks import Hooks
from fastflv.config.model.server import Settings
from fastflv.config.model.vhost import Vhost
from fastflv.net.httpclient import HttpClient, url_fault
from fastflv.record.recorders import Recorders
from fastflv.servers.api.identity import Identity
from fastflv.servers.hls.event import Watcher as SegmentWatcher
from fastflv.servers.hooks.events import HookEvents
from fastflv.servers.rtmp.server import RtmpServer
from fastflv.stream.clients import Clients
from fastflv.stream.departures import Departures
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName


def check_hooks(vhost: Vhost, problems: Problems) -> None:
    """Add a problem for each hook of *vhost* that cannot be asked."""
    if not vhost.enabled or not vhost.http_hooks.enabled or vhost.source is None:
        return
    for each in fields(Hooks):
        at = vhost.source.sub("http_hooks").value(each.name, split=True) if each.name != "enabled" else None
        for index, url in enumerate(at.words if at is not None else ()):
            fault = url_fault(url)
            if fault and at is not None:
                problems.add(
                    at.error(f"'{masked(url)}' {fault}", "write the whole URL of the hook", word=index)
                )


class ServerHooks:
    """What hooks have admitted outlives a reload; which of them are asked, the configuration says."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, hub: Hub, clients: Clients, identity: Identity
    ) -> None:
        def stream_id_of(request: AccessRequest) -> str:
            return hub.id_of(StreamName(request.vhost, request.app, request.stream))

        self.rules: Mapping[str, tuple[Rule, ...]] = {}
        "By name of the vhost."
        self._settings = Settings()
        self.client = HttpClient(loop, hub.delays.hook.observe)
        self.bodies = Bodies(identity.server, identity.service, stream_id_of)
        self._visits = Visits()
        self.faults = HookFaults()
        self._events = HookEvents(
            loop,
            self.client,
            self.bodies,
            self.faults,
            hooks_of=self._hooks_of,
            notify_bytes_of=lambda vhost: self._settings.vhosts[vhost].hls.hls_nb_notify,
        )
        self._departures = Departures(self._visits, self._events)
        clients.left.append(self._departures.client_left)
        clients.arrivals.watchers.append(self._departures.arrival_over)

    def watch(self, rtmp: RtmpServer, recorders: Recorders, segments: list[SegmentWatcher]) -> None:
        """Tell hooks of what happens there; *segments*: who is told of each that is listed."""
        rtmp.watchers.append(self._departures.connection_closed)
        recorders.watchers.append(self._events.recorded)
        segments.append(self._events.segment_stored)

    def adopt(self, settings: Settings) -> None:
        """Ask the hooks of *settings* from the next request on."""
        self._settings = settings
        hooks = {name: self._hooks_of(name) for name in settings.vhosts}
        self.rules = {
            name: (HookRule(each, self.bodies, self.client.post, self._visits, self.faults),)
            for name, each in hooks.items()
            if each is not None
        }
        if self.rules or any(each.enabled and each.forward.backend for each in settings.vhosts.values()):
            self.client.prepare()

    def resume(self, request: AccessRequest) -> None:
        """Another process has admitted this client: its end is told here."""
        if request.vhost in self.rules:
            if request.scheme in RTMP:
                self._visits.connect(request)
            self._visits.admit(request)

    async def stop(self) -> None:
        """Send the last events, and close the connections."""
        await self._events.stop()
        await self.client.close()

    def _hooks_of(self, vhost: str) -> Hooks | None:
        found = self._settings.vhosts.get(vhost)
        return found.http_hooks if found is not None and found.enabled and found.http_hooks.enabled else None
