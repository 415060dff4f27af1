"""What a worker process is told by its parent: its number, the others, and the descriptors that it inherits."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import socket
from collections.abc import MutableMapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from fastflv.control.server import Server
    from fastflv.control.siblings import Siblings

VARIABLE: Final = "FASTFLV_WORKER"

NO_UPGRADE: Final = "a server with --workers cannot be upgraded in place: stop it and start the new version"
"Its parent serves nobody, and a worker alone cannot leave its place."


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """One worker among those of its parent."""

    number: int
    "From 1 on; a worker that is restarted has the number of the one before."

    ports: Sequence[int]
    "Ports on 127.0.0.1 on which each worker answers the others, the first one's first."

    channel: int
    "Descriptor of the channel to the parent."

    listener: int
    "Descriptor of the listening socket of its own port."

    secret: str
    "What the workers know each other by, hex."

    server: str
    "Id of the installation, that all workers have."

    service: str
    "Id of this run of the parent."

    @classmethod
    def take(cls, environ: MutableMapping[str, str]) -> Self | None:
        """Return the place that the environment tells, and forget it; None in any process that is no worker."""
        told = environ.pop(VARIABLE, "")
        return cls(**json.loads(told)) if told else None

    @property
    def environ(self) -> dict[str, str]:
        """What `take` reads, for the environment of a worker."""
        return {VARIABLE: json.dumps(asdict(self))}

    def id_of(self, *names: str) -> str:
        """Return the id that all workers give to what has these names."""
        text = "/".join((self.secret, *names)).encode()
        return "vid-" + base64.b32encode(hashlib.blake2b(text, digest_size=5).digest()).decode()[:7].lower()

    @property
    def others(self) -> dict[int, int]:
        """Ports of the other workers by number."""
        return {number: port for number, port in enumerate(self.ports, 1) if number != self.number}

    def sockets(self) -> tuple[socket.socket, socket.socket]:
        """Take over the inherited descriptors: the channel and the listener."""
        found = []
        for fd in (self.channel, self.listener):
            os.set_inheritable(fd, False)
            sock = socket.socket(fileno=fd)
            sock.setblocking(False)
            found.append(sock)
        return found[0], found[1]


def siblings_of(
    place: WorkerPlace | None, server: Server, loop: asyncio.AbstractEventLoop
) -> Siblings | None:
    """Return the other workers of *server*; None where it is alone, which then does not load what speaks to them."""
    if place is None:
        return None
    from fastflv.control.siblings import Siblings

    return Siblings(place, server, loop)
