"""After a reload: running streams, publications, players and forwards take the options in force."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastflv.cluster.options import pulled
from fastflv.control.runtime import Runtime
from fastflv.playing.players import Players
from fastflv.playing.rewinds import Rewinds
from fastflv.stream.clients import Client
from fastflv.stream.hub import Hub
from fastflv.stream.publication import Publication, Publications, PublishOptions
from fastflv.stream.stream import Stream

if TYPE_CHECKING:
    from fastflv.cluster.forwards import Forwards

log = logging.getLogger(__name__)


def adopt_options(
    runtime: Runtime,
    hub: Hub,
    publications: Publications,
    players: Players,
    rewinds: Rewinds,
    forwards: Forwards | None,
) -> None:
    """Give all that runs the options of *runtime*, which is in force."""

    def adopt(stream: Stream, publish: PublishOptions, clients: Sequence[Client]) -> None:
        if stream.publisher is not None and stream.publisher.own:
            publish = pulled(publish)
        for client in clients:
            if isinstance(client.link, Publication):
                client.link.adopt(publish)
        if stream.options != publish.stream:
            stream.adopt(publish.stream)
            publications.graces.adopt(stream)
            links = [client.player for client in clients if client.player is not None]
            sent = forwards.players_of(stream) if forwards is not None else ()
            players.adopt(stream, (*links, *sent), rewinds.of(stream))

    clients: dict[Stream, list[Client]] = defaultdict(list)
    for client in publications.clients:
        clients[client.stream].append(client)
    for stream in hub:
        vhost = runtime.vhosts.get(stream.name.vhost)
        if vhost is None:
            continue
        try:
            adopt(stream, vhost.publish, clients.get(stream, []))
        except Exception:
            # The configuration is in force already: the other streams have it too.
            log.exception("reload: stream %s keeps some of its former options", stream.name.url)
