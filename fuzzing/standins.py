"""What stands behind a connection in a target: a loop whose time stands still, a transport, a player, an exchange."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastflv.protocols.http.crossdomain import NONE
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Request, Response


class Clock:
    """A loop and its turns: time stands still, and there is time for everything."""

    def time(self) -> float:
        return 1000.0

    def call_later(self, seconds: float, call: Callable[..., object], *args: object) -> Clock:
        return self

    def call_soon(self, call: Callable[..., object], *args: object) -> None:
        """Nothing is called: no time passes."""

    def cancel(self) -> None:
        """Cancel a timer, which would not run anyway."""

    def open(self) -> bool:
        return True


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = bytearray()
        self._closing = False

    def write(self, data: bytes) -> None:
        assert not self._closing, "a write behind the end"
        self.written += data

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    abort = close


class Play:
    """A player that is between two messages."""

    def __init__(self, wire: Wire) -> None:
        self.say = wire.write

    def halt(self, then: Callable[[], None]) -> None:
        then()

    def lost(self) -> None:
        """The connection is gone."""


class Answers(Exchange):
    """An exchange that keeps its answer; its client takes no media and leaves with `lose`."""

    def __init__(self, request: Request) -> None:
        super().__init__(request, cross_domain=NONE)
        self.response: Response | None = None
        self._over = False

    @property
    def secure(self) -> bool:
        return False

    @property
    def scheme(self) -> str:
        return "http"

    @property
    def answered(self) -> bool:
        return self.response is not None

    @property
    def done(self) -> bool:
        return self.answered

    @property
    def closed(self) -> bool:
        return self._over

    def lose(self) -> None:
        """Leave as a client that closes."""
        self._over = True
        if self.on_lost is not None:
            self.on_lost()

    def read(self, sink: Any, *, idle: float | None = None) -> None:
        """The client sends no body."""

    def pause(self) -> None:
        """Nothing is delivered."""

    resume = pause

    def break_off(self) -> None:
        self._over = True

    def respond(self, response: Response) -> None:
        assert self.response is None, "two answers"
        self.response = response

    def respond_file(self, head: Response, *place: object, missing: Response, **more: object) -> None:
        self.respond(head)

    def respond_stream(self, head: Response, **bounds: object) -> None:
        self.respond(head)

    def take_socket(self, head: Response) -> None:
        return None

    @property
    def leave(self) -> Callable[[], None]:
        return lambda: None

    def upgrade(self, protocol: object, fields: dict[str, str]) -> bool:
        return False
