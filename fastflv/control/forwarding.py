"""What forwards of a server are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastflv import limits
from fastflv.cluster.forward import ForwardSite
from fastflv.cluster.forwards import Forwards
from fastflv.cluster.options import ForwardOptions
from fastflv.cluster.reach import Reach
from fastflv.control.hooks import ServerHooks
from fastflv.net.turns import Turns
from fastflv.playing.players import Players
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName

if TYPE_CHECKING:
    from fastflv.control.runtime import Runtime


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
