"""What breaks in a cluster while viewers watch. The first origin brings the shared stream when a fault begins."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from link import Link, kill_socket, sockets_to
from server import until
from topology import Topology

Step = Callable[[Topology], None]
DELAY_SECONDS: Final = 2.0


def _nothing(site: Topology) -> None:
    """What is dead stays dead."""


@dataclass(frozen=True)
class Fault:
    """How something breaks, and what ends that."""

    name: str
    begin: Step
    end: Step = _nothing
    needs_link: bool = False
    moves: int = 3
    "Edges that fetch the shared stream from the other origin afterwards."


def _link(site: Topology) -> Link:
    link = site.origins[0].link
    assert link is not None
    return link


def _kill(site: Topology) -> None:
    site.origins[0].killed = True
    site.origins[0].process.kill()


def _stop(site: Topology) -> None:
    site.origins[0].process.send_signal(signal.SIGSTOP)


def _continue(site: Topology) -> None:
    site.origins[0].process.send_signal(signal.SIGCONT)


def _cut(site: Topology) -> None:
    _link(site).is_cut = True


def _delay(site: Topology) -> None:
    _link(site).delay = DELAY_SECONDS


def _mend(site: Topology) -> None:
    _link(site).mend()


def _kill_redis(site: Topology) -> None:
    site.redis.stop()


def _start_redis(site: Topology) -> None:
    site.redis.start()


def _kill_upstream(site: Topology) -> None:
    """The connection of the first edge is aborted when a part of a tag has arrived."""
    link = _link(site)
    [port] = sockets_to(link.far, site.edges[0].process.pid)
    link.break_within(port)
    until(link.broken.is_set, "a tag of more than one packet", 10)
    kill_socket(link.far, port)
    link.mend()


FAULTS: Final = (
    Fault("kill -9 of an origin", _kill),
    Fault("SIGSTOP of an origin", _stop, _continue),
    Fault("network of an origin cut", _cut, _mend, needs_link=True),
    Fault("network of an origin delayed by 2 s", _delay, _mend, needs_link=True),
    Fault("kill -9 of Redis", _kill_redis, _start_redis, moves=0),
    Fault("upstream of an edge killed within a tag", _kill_upstream, needs_link=True, moves=1),
)
