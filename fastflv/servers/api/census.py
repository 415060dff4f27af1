"""What several operations show of streams, clients and vhosts: sums, rates, and vhosts by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fastflv.servers.api.rate import Rates
from fastflv.servers.api.sample import Sample, take_traffic
from fastflv.servers.api.schema import COUNT, INTEGER, record
from fastflv.stream.clients import Clients
from fastflv.stream.hub import Hub
from fastflv.stream.stream import Stream

KBPS: Final = record({"recv_30s": INTEGER, "send_30s": INTEGER})
TRAFFIC: Final = {"send_bytes": COUNT, "recv_bytes": COUNT, "kbps": KBPS}


@dataclass(frozen=True, slots=True)
class VhostEntry:
    """A vhost as the API shows it."""

    id: str
    name: str
    enabled: bool
    fragment: float | None = None
    "Length of HLS segments, seconds; None: HLS is off."

    parse_sps: bool = True
    "Show what a sequence header says of a picture (`publish { parse_sps }`)."

    auth: tuple[str, ...] = ()
    "What needs a token: `publish`, `play`, `record`."

    timeshift: float = 0.0
    "How much of the past of its streams is kept, seconds."


class Census:
    """The streams, clients and vhosts of a server, as its API counts them."""

    def __init__(
        self,
        hub: Hub,
        clients: Clients,
        vhosts: Callable[[], list[VhostEntry]],
        clock: Callable[[], float],
    ) -> None:
        """*vhosts*: the present ones. *clock*: monotonic, seconds."""
        self.hub = hub
        self.clients = clients
        self.vhosts = vhosts
        self.clock = clock
        self.started = clock()
        self.traffic = Sample(lambda: take_traffic(hub, clients))
        self._rates = Rates()

    def by_name(self) -> dict[str, VhostEntry]:
        """Return the vhosts by name."""
        return {entry.name: entry for entry in self.vhosts()}

    def stream(self, id: str) -> Stream | None:
        """Return the stream of that id."""
        return next((each for each in self.hub if each.id == id), None)

    def moved(self, id: str, received: int, sent: int, since: float) -> dict[str, object]:
        """Return the fields of TRAFFIC of what is called *id* and began with 0 bytes at *since*."""
        now = self.clock()
        return {
            "send_bytes": sent,
            "recv_bytes": received,
            "kbps": {
                "recv_30s": self._rates.kbps((id, "recv"), received, since, now),
                "send_30s": self._rates.kbps((id, "send"), sent, since, now),
            },
        }
