"""A player that a sender thread serves: plain sockets of HTTP, WebSocket and RTMP."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypedDict

from fastflv import limits
from fastflv._ext.fanout.handover import part_player, player_state, restore_player, socket_of
from fastflv._ext.fanout.sender import SendHandle
from fastflv._ext.log.block import MediaBlock
from fastflv.net.parcel import bytes_of
from fastflv.playing.player import Ended, Framing, Player
from fastflv.stream.endreason import BY_TEXT, EndReason
from fastflv.stream.lag import UNBEGUN, Beginning, Steps
from fastflv.stream.outlets import Outlet
from fastflv.stream.start import Start
from fastflv.stream.stream import StreamOptions

if TYPE_CHECKING:
    from fastflv.playing.players import Players


class Next(NamedTuple):
    """What a sender thread is given when it takes a player over."""

    block: MediaBlock | None
    position: int
    preamble: MediaBlock | None
    until_key: bool = False
    pin: memoryview | None = None
    "Of the block: it counts as in use while it waits."
    pictured: bool = False
    "As `Start.pictured`."


NOTHING: Final = Next(None, -1, None)


class PlayerAt(TypedDict):
    """Where a player is, for another process that goes on with its socket."""

    at: dict[str, Any] | None
    "As `player_state` has it; None while nothing is sent."

    framing: int
    bytes: int
    steps: list[int]
    words: bytes


class ThreadPlayer(Player):
    """A player that a sender thread serves, through a descriptor of its own.

    With a *transport* the event loop keeps reading the connection and may write while nothing is half
    sent: to `say` something the player is called back, and goes on where it left.
    """

    __slots__ = (
        "_before",
        "_beginning",
        "_dropped",
        "_fd",
        "_held",
        "_next",
        "_outlet",
        "_player",
        "_transport",
        "_why",
    )  # fmt: skip

    def __init__(
        self,
        players: Players,
        options: StreamOptions,
        framing: Framing,
        ended: Ended,
        *,
        fd: int = -1,
        transport: asyncio.Transport | None = None,
    ) -> None:
        super().__init__(players, options, framing, ended)
        self._fd = fd
        self._transport = transport
        if transport is not None:
            # The event loop says when its last byte is in the socket.
            transport.set_write_buffer_limits(high=0)
        self._player: SendHandle | None = None
        self._beginning = UNBEGUN
        self._before: SendHandle | None = None
        "Itself, before it was called back."
        self._dropped: EndReason | None = None
        "Why the server drops it."
        self._outlet: Outlet | None = None
        self._held = False
        self._why: EndReason | None = None
        "Why it ends, where the sender thread does not know."
        self._next = NOTHING

    @property
    def sent(self) -> int:
        return self._bytes + (self._player.sent if self._player is not None else 0)

    @property
    def steps(self) -> Steps:
        return self._steps.then(self._player)

    @property
    def beginning(self) -> Beginning:
        player = self._player or self._before
        return self._beginning if player is None else Beginning(player.first_at, player.key_at)

    def start(self, outlet: Outlet, start: Start, preamble: MediaBlock | None = None) -> None:
        block, position, until_key, pictured = start
        self._outlet = outlet
        self._before = None
        self._players.given.add(outlet.starts)
        if self._transport is None:
            self._add(Next(block, position, preamble, until_key, pictured=pictured))
            return
        self._hold(Next(block, position, preamble, until_key, memoryview(block), pictured))
        self.resume_writing()

    def _hold(self, following: Next) -> None:
        """What comes next waits until all that the event loop wrote is in the socket; the outlet stays meanwhile."""
        assert self._outlet is not None
        self._held = True
        self._next = following
        self._outlet.log.hold()

    def _add(self, following: Next) -> None:
        """Give the socket to a sender thread, which has references of its own to what is sent."""
        assert self._outlet is not None
        if self._players.stopping:
            self._end(EndReason.SERVER_STOPS, True)
            return
        block, position, preamble, until_key, _, pictured = following
        options = self._options
        lag = options.lag
        fd, self._fd = self._fd, -1
        if self._transport is not None:
            try:
                fd = os.dup(self._transport.get_extra_info("socket").fileno())
            except OSError:
                self._end(EndReason.NO_DESCRIPTOR, True)
                return
        self._player = self._players.sender.add(
            fd,
            self._outlet.log,
            framing=self._framing,
            preamble=preamble,
            start=block if block is not None and len(block) else None,
            position=position,
            merge_window_ms=options.merge_window_ms,
            drop_ms=lag.drop_ms,
            jump_ms=lag.jump_ms,
            close_ms=lag.close_ms,
            pace_percent=options.pace_percent,
            nodelay=options.nodelay,
            until_key=until_key,
            pictured=pictured,
            owner=self,
            before=self._before,
        )
        self._before = None

    def state(self) -> PlayerAt | None:
        """Return as plain values where it is, for another process that goes on with its socket; None where none can.

        The sender threads are paused.
        """
        at = player_state(self._players.sender, self._player) if self._player is not None else None
        if self._held or self._then is not None or (self._player is not None and at is None):
            return None
        return {
            "at": at,
            "framing": int(self._framing),
            "bytes": self._bytes,
            "steps": list(self._steps),
            "words": self._words,
        }

    def part(self, nothing: int) -> None:
        """Another process goes on with the socket: forget it, and tell nobody. *nothing*: a descriptor of /dev/null."""
        if self._player is not None:
            part_player(self._players.sender, self._player, nothing)
        self._player = self._outlet = self._ended = None

    @property
    def outlet(self) -> Outlet | None:
        """What it is sent; None before its start and after its end."""
        return self._outlet

    @property
    def fd(self) -> int:
        """Descriptor of the socket that a sender thread has, which stays the thread's; -1 while none has."""
        return socket_of(self._player) if self._player is not None else -1

    def resume(self, outlet: Outlet | None, state: dict[str, Any]) -> None:
        """Go on where `state` says, in another process; the sender threads are paused. *outlet*: None for an idle player.

        Raises HandoverError, KeyError, TypeError, ValueError and OverflowError.
        """
        self._bytes = int(state["bytes"])
        self._steps = Steps(*map(int, state["steps"]))
        self._words = bytes_of(state["words"])
        at = state["at"]
        if at is None or outlet is None:
            return
        self._outlet = outlet
        rest, block, position = bytes_of(at["rest"]), bytes_of(at["block"]), int(at["position"])
        if not outlet.log.tail <= position <= outlet.log.head:
            position = -1
        start, preamble = MediaBlock(block) if block else None, MediaBlock(rest) if rest else None
        self._add(Next(start, position, preamble, pictured=bool(at["pictured"])))
        if self._player is not None:
            restore_player(self._players.sender, self._player, at)
            if self._words:
                self._players.sender.recall(self._player)

    def say(self, data: bytes) -> None:
        assert self._transport is not None
        if self._player is None and not self._held:
            self._transport.write(data)
            unread = self._transport.get_write_buffer_size()
        else:
            self._words += data
            unread = len(self._words)
        if unread > limits.ANSWER_BYTES_MAX:
            # It asks and does not read the answers.
            self._give_up(EndReason.UNREAD_ANSWERS)
        elif self._player is not None:
            self._players.sender.recall(self._player)

    def halt(self, then: Callable[[], None]) -> None:
        if self._player is None:
            self._let_go()
            self._flush()
            then()
            return
        self._then = then
        self._players.sender.recall(self._player)

    def drop(self, reason: EndReason) -> None:
        # The thread may have ended the player already, and the loop has not reaped it yet.
        self._dropped = reason
        if self._player is not None:
            self._players.sender.kick(self._player)
        else:
            self._end(reason, True)

    def adopt(self, options: StreamOptions) -> None:
        # `Players.adopt` tells the sender threads, once a log.
        self._options = options

    def lost(self) -> None:
        self._give_up(EndReason.PEER_CLOSED)

    def _give_up(self, reason: EndReason) -> None:
        self._why = reason
        self._words = b""
        if self._player is not None:
            self._players.sender.kick(self._player)
        else:
            self._end(reason, False)

    def pause_writing(self) -> None:
        """A sender thread watches its socket itself."""

    def resume_writing(self) -> None:
        if self._held and (self._transport is None or not self._transport.get_write_buffer_size()):
            self._let_go()
            # The block must not live as long as the player.
            following, self._next = self._next, NOTHING
            self._add(following)
            if self._words and self._player is not None:
                self._players.sender.recall(self._player)

    def left(self, player: SendHandle) -> None:
        """The sender thread let it go."""
        if self._outlet is not None and self._outlet.remux is not None:
            self._players.close_unread()
        self._bytes += player.sent
        self._steps = self._steps.then(player)
        self._beginning = Beginning(player.first_at, player.key_at)
        self._player = None
        if self._why is not None:
            self._end(self._why, False)
            return
        if player.whole:
            self._flush()
        if not player.recalled or self._dropped is not None:
            self._end(self._dropped or BY_TEXT[player.reason], player.whole)
            return
        then, self._then = self._then, None
        if then is not None:
            then()
            return
        self._before = player
        self._hold(Next(None, player.position, None))
        self.resume_writing()

    def _flush(self) -> None:
        words, self._words = self._words, b""
        if words and self._transport is not None:
            self._bytes += len(words)
            self._transport.write(words)

    def _let_go(self) -> None:
        if self._held and self._outlet is not None:
            self._held = False
            self._outlet.log.let_go()

    def _end(self, reason: EndReason, whole: bool) -> None:
        self._let_go()
        # The owner may hold the player for a while: until the peer has closed.
        self._outlet = None
        self._next = NOTHING
        self._report(reason, whole)
