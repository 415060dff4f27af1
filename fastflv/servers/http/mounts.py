"""Requests to mounts: each plays a stream, publishes one, or is sent a file where there is no such stream."""

from __future__ import annotations

from functools import partial
from typing import Final

from fastflv.config.model.remux import DEFAULT_MOUNT
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.config.mount import Mount
from fastflv.protocols.http.exchange import Exchange
from fastflv.servers.files.server import FileServer
from fastflv.servers.http.live import Live
from fastflv.servers.http.push import PUBLISH_ARGUMENT, Push
from fastflv.servers.http.router import PUBLISH_METHODS, Match
from fastflv.servers.http.websocket import wants_upgrade
from fastflv.stream.hub import Hub

NUMBER_MOUNT: Final = Mount.parse(DEFAULT_MOUNT, DEFAULT_VHOST)
"How streams of `flv_tcp` are played by number."


class Mounts:
    """Answers requests of routes of the kinds MOUNT and NUMBER."""

    def __init__(self, hub: Hub, live: Live, push: Push, files: FileServer) -> None:
        self._hub = hub
        self._live = live
        self._push = push
        self._files = files

    def handle(self, exchange: Exchange, match: Match) -> None:
        """Publish, play, or send the file, as the request asks."""
        mount, request = match.route.mount, exchange.request
        assert mount is not None
        # A WebSocket asked for by POST is refused as a wrong handshake, not taken for a publisher.
        if wants_upgrade(request):
            publish = PUBLISH_ARGUMENT in request.args and mount.container == "flv"
        else:
            publish = request.method in PUBLISH_METHODS
        if publish:
            self._push.handle(exchange, match.name)
        else:
            self._play(exchange, match, mount)

    def number(self, exchange: Exchange, match: Match) -> None:
        """Play a stream of `flv_tcp`."""
        self._play(exchange, match, NUMBER_MOUNT)

    def _play(self, exchange: Exchange, match: Match, mount: Mount) -> None:
        if not match.folders or wants_upgrade(exchange.request) or self._hub.find(match.name) is not None:
            self._live.handle(exchange, mount, match.name)
        else:
            play = partial(self._live.handle, exchange, mount, match.name)
            self._files.answer(exchange, match.folders, play)
