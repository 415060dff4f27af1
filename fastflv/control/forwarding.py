"""How a server forwards: the settings of its vhosts, compiled, and what forwards are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastflv import limits
from fastflv.cluster.forward import ForwardSite
from fastflv.cluster.forwards import ForwardOptions, Forwards
from fastflv.cluster.reach import Reach
from fastflv.config.destination import Destination
from fastflv.config.grammar.problems import Problems
from fastflv.config.masking import masked
from fastflv.config.model.cluster import ClusterMode
from fastflv.config.model.vhost import Vhost
from fastflv.control.hooks import ServerHooks
from fastflv.net.httpclient import url_fault
from fastflv.net.turns import Turns
from fastflv.playing.players import Players
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName

if TYPE_CHECKING:
    from fastflv.control.runtime import Runtime


def check_forward(vhost: Vhost, problems: Problems) -> None:
    """Add a problem for each destination of *vhost* that cannot be one, and for a backend that cannot be asked."""
    forward = vhost.forward
    if not vhost.enabled or not forward.enabled or vhost.source is None:
        return
    section = vhost.source.sub("forward")
    destinations, backend = section.value("destination", split=True), section.value("backend")
    for index, word in enumerate(destinations.words if destinations is not None else ()):
        try:
            Destination.parse(word)
        except ValueError as error:
            assert destinations is not None
            problems.add(destinations.error("has a server that cannot be one", str(error), word=index))
    fault = url_fault(forward.backend) if forward.backend else ""
    if fault and backend is not None:
        problems.add(
            backend.error(f"'{masked(forward.backend)}' {fault}", "write the whole URL of the backend")
        )


def forward_options(vhost: Vhost) -> ForwardOptions | None:
    """Return where the streams of a vhost are forwarded to; None where `forward` is off, and on an edge."""
    forward = vhost.forward
    if not forward.enabled or vhost.cluster.mode is ClusterMode.REMOTE:
        return None
    destinations = (Destination.parse(word, secure=forward.rtmps) for word in forward.destination)
    return ForwardOptions(tuple(dict.fromkeys(destinations)), forward.backend, forward.tls_verify)


def make_forwards(
    loop: asyncio.AbstractEventLoop,
    turns: Turns,
    players: Players,
    hub: Hub,
    hooks: ServerHooks,
    mark: str,
    runtime: Callable[[], Runtime],
    is_own: Callable[[StreamName], bool],
) -> Forwards:
    """*mark* names this process to other servers. *runtime* returns the configuration in force.

    *is_own*: off for streams that another worker publishes.
    """

    def options_of(name: StreamName) -> ForwardOptions | None:
        found = runtime().vhosts.get(name.vhost)
        return found.forward if found is not None and found.vhost.enabled and is_own(name) else None

    site = ForwardSite(
        loop, turns, hub, players, mark, memoryview(bytearray(limits.FORWARD_READ_BYTES)), Reach(turns)
    )
    return Forwards(
        site, options_of=options_of, post=hooks.client.post, bodies=hooks.bodies, faults=hooks.faults
    )
