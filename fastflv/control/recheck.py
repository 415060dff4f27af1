"""The recheck after a reload: clients that the present rules refuse are disconnected."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from fastflv.access.gate import Gate
from fastflv.access.verdict import Allowed
from fastflv.net.turns import Turns
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import EndReason


class Recheck:
    """Asks the gate about all clients again, in turns of the event loop: a reload may disconnect thousands."""

    __slots__ = ("_clients", "_done", "_dropped", "_gate", "_left", "_queued", "_turns")

    def __init__(self, turns: Turns, clients: Clients, gate: Gate) -> None:
        self._turns = turns
        self._clients = clients
        self._gate = gate
        self._left: deque[Client] = deque()
        self._queued = False
        "The next client waits for a turn of the loop."
        self._dropped = 0
        self._done: Callable[[int], None] | None = None

    def begin(self, done: Callable[[int], None]) -> None:
        """Ask about every client; then *done* is told how many were disconnected, at once where the turn has time.

        A recheck that still goes on is over: the present rules are asked about the clients it had left.
        """
        self._finish()
        self._left.extend(self._clients)
        self._dropped = 0
        self._done = done
        if not self._queued:
            self._go_on()

    def _go_on(self) -> None:
        self._queued = False
        while self._left:
            if not self._turns.open():
                self._queued = True
                self._turns.queue(self._go_on)
                return
            self._ask(self._left.popleft())
        self._finish()

    def _ask(self, client: Client) -> None:
        if self._clients.find(client.id) is client and not isinstance(
            self._gate.recheck(client.request), Allowed
        ):
            client.drop(EndReason.FORBIDDEN)
            self._dropped += 1

    def _finish(self) -> None:
        self._left.clear()
        done, self._done = self._done, None
        if done is not None:
            done(self._dropped)
