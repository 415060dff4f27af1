"""The port of a `stream_caster { caster flv; }`: it takes FLV by POST, PUT and WebSocket, whatever the mounts are."""

from __future__ import annotations

from collections.abc import Callable

from fastflv.config.model.caster import CasterOutput
from fastflv.net.networkset import NetworkSet
from fastflv.protocols.http.crossdomain import CrossDomain
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.http.push import Push, refuse_publish
from fastflv.servers.http.router import PUBLISH_METHODS
from fastflv.servers.http.websocket import wants_upgrade
from fastflv.stream.name import StreamName, fault_of


class Caster:
    """Answers the requests of one caster's port: the path and the output say which stream is published."""

    def __init__(
        self,
        push: Push,
        output: CasterOutput,
        *,
        vhost_of: Callable[[str], str | None],
        cross_domain: Callable[[], CrossDomain],
        trusted: Callable[[], NetworkSet],
    ) -> None:
        """*vhost_of* returns the name of the vhost that serves a host, None where none does."""
        self._push = push
        self._output = output
        self._vhost_of = vhost_of
        self._cross_domain = cross_domain
        self._trusted = trusted

    def cross_domain(self, request: Request) -> CrossDomain:
        return self._cross_domain()

    @property
    def trusted(self) -> NetworkSet:
        return self._trusted()

    def __call__(self, exchange: Exchange) -> None:
        request = exchange.request
        if request.method not in PUBLISH_METHODS and not wants_upgrade(request):
            exchange.respond(Response.of_text(405, Allow=", ".join((*PUBLISH_METHODS, "OPTIONS"))))
            return
        vhost = self._vhost_of(self._output.vhost)
        named = self._output.names(request.path)
        if vhost is None:
            refuse_publish(exchange, request.path, Response.of_text(404, f"no vhost {self._output.vhost}"))
        elif named is None:
            refuse_publish(
                exchange, request.path, Response.of_text(400, "the path of a publish is /APP/STREAM.flv")
            )
        else:
            name = StreamName(vhost, *named)
            fault = fault_of(name.app) or fault_of(name.stream)
            if fault:
                refuse_publish(exchange, "a stream", Response.of_text(400, f"a name {fault}"))
            else:
                self._push.handle(exchange, name)
