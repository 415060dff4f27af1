"""All forwards of a server: begun by publishes, ended by the ends of streams, changed by reloads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial

from fastflv import limits
from fastflv.access.hookbody import Bodies
from fastflv.access.hookfaults import HookFaults
from fastflv.access.hooks import Post
from fastflv.access.rule import Waiting
from fastflv.cluster.forward import Forward, ForwardSite
from fastflv.cluster.forwardbackend import destinations_of
from fastflv.cluster.options import ForwardOptions
from fastflv.cluster.states import forward_counts
from fastflv.config.destination import Destination
from fastflv.net.httpclient import HttpReply
from fastflv.playing.loopplayer import LoopPlayer
from fastflv.playing.threadplayer import ThreadPlayer
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Phase, Stream


@dataclass(slots=True)
class Forwarded:
    """The forwards of one stream."""

    forwards: dict[Destination, Forward] = field(default_factory=dict)
    "Those that are wanted."

    backend: str = ""
    "The backend that was asked last."

    asking: Waiting | None = None

    timer: asyncio.TimerHandle | None = None
    "For the next question to a backend that has failed."

    failures: int = 0
    "Questions in a row that failed."

    def ask_no_more(self) -> None:
        for waiting in (self.asking, self.timer):
            if waiting is not None:
                waiting.cancel()
        self.asking = self.timer = None


class Forwards:
    """What streams are forwarded to. A watcher of the hub.

    *options_of*: the present `forward` of a stream, None where it is off, and where another process forwards it.
    """

    def __init__(
        self,
        site: ForwardSite,
        *,
        options_of: Callable[[StreamName], ForwardOptions | None],
        post: Post,
        bodies: Bodies,
        faults: HookFaults,
    ) -> None:
        """*post*, *bodies*, *faults*: how backends are asked, what they are told, and who logs those that fail."""
        self._post = post
        self._bodies = bodies
        self._faults = faults
        self._site = site
        self._options_of = options_of
        self._streams: dict[Stream, Forwarded] = {}
        self._open: set[Forward] = set()
        "All that have not ended, those that are no longer wanted too."
        self._sent_before = 0
        "Bytes of forwards that have ended."
        self._failures_before = 0
        self._stopped = False

    def __iter__(self) -> Iterator[Forward]:
        return iter(self._open)

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, forward: object) -> bool:
        return forward in self._open

    def states(self) -> dict[str, int]:
        """Count the forwards by state."""
        counts = forward_counts()
        for forward in self._open:
            counts[forward.state.value] += 1
        return counts

    @property
    def sent(self) -> int:
        """Bytes of media sent since the start."""
        return self._sent_before + sum(forward.sent for forward in self._open)

    @property
    def failures(self) -> int:
        """Connections since the start that were not made, were refused or were lost."""
        return self._failures_before + sum(forward.failed for forward in self._open)

    def players_of(self, stream: Stream) -> list[ThreadPlayer | LoopPlayer]:
        """What sends the media of the stream's forwards."""
        found = self._streams.get(stream)
        forwards = found.forwards.values() if found is not None else ()
        return [forward.player for forward in forwards if forward.player is not None]

    # --- streams ---

    def stream_began(self, stream: Stream) -> None:
        """A publisher starts, for the first time or within the grace of the one before."""
        # Behind this turn: the stream does not know its publisher yet.
        self._site.loop.call_soon(partial(self._plan, stream, anew=True))

    def stream_left(self, stream: Stream) -> None:
        """The publisher left: its forwards stay open for the one that comes within the grace period."""

    def stream_ended(self, stream: Stream) -> None:
        """No publisher returned: players have the last of the log, then they end. The others end here."""
        forwarded = self._streams.pop(stream, None)
        if forwarded is None:
            return
        forwarded.ask_no_more()
        for forward in forwarded.forwards.values():
            if forward.player is None:
                forward.stop(EndReason.STREAM_ENDED)

    def look(self, stream: Stream) -> None:
        """Use the present options of a stream: begin and stop forwards, and leave the others alone."""
        self._plan(stream)

    def _plan(self, stream: Stream, *, anew: bool = False) -> None:
        """Begin the forwards that the configuration wants, and stop those that it does not. *anew*: with a publish."""
        if stream.phase is Phase.ENDED or self._stopped:
            return
        options = self._options_of(stream.name)
        if options is None and stream not in self._streams:
            return
        options = options or ForwardOptions()
        forwarded = self._streams.setdefault(stream, Forwarded())
        asked, forwarded.backend = forwarded.backend, options.backend
        if options.backend:
            if anew or asked != options.backend:
                forwarded.ask_no_more()
                forwarded.failures = 0
                self._ask(stream, forwarded, options)
            return
        forwarded.ask_no_more()
        self._set(stream, forwarded, options.destinations, options)
        if not forwarded.forwards:
            del self._streams[stream]

    def _set(
        self,
        stream: Stream,
        forwarded: Forwarded,
        destinations: Collection[Destination],
        options: ForwardOptions,
    ) -> None:
        forwards = forwarded.forwards
        for destination, forward in list(forwards.items()):
            if destination not in destinations or forward.verify != options.verify:
                del forwards[destination]
                forward.stop()
        for destination in destinations:
            wanted = forwards.get(destination)
            if wanted is None:
                wanted = forwards[destination] = Forward(
                    self._site, stream, destination, verify=options.verify, on_end=self._ended
                )
                self._open.add(wanted)
            wanted.begin()

    def _ended(self, forward: Forward) -> None:
        self._open.discard(forward)
        self._sent_before += forward.sent
        self._failures_before += forward.failed

    # --- backends ---

    def _ask(self, stream: Stream, forwarded: Forwarded, options: ForwardOptions) -> None:
        forwarded.timer = None
        request = stream.publisher
        if request is None or stream.phase is not Phase.LIVE:
            return
        body = self._bodies.of_stream("on_forward", request, stream.id)
        answered = partial(self._answered, stream, forwarded, options)
        forwarded.asking = self._post(options.backend, body, answered)
        if forwarded.asking is None:
            answered(HttpReply(0, b"", "too many requests wait for it"))

    def _answered(
        self, stream: Stream, forwarded: Forwarded, options: ForwardOptions, reply: HttpReply
    ) -> None:
        forwarded.asking = None
        try:
            destinations = destinations_of(reply)
        except ValueError as error:
            self._faults.note("on_forward", options.backend, str(error))
            pauses = limits.FORWARD_REFUSED_SECONDS
            pause = pauses[min(forwarded.failures, len(pauses) - 1)]
            forwarded.failures += 1
            forwarded.timer = self._site.loop.call_later(pause, self._ask, stream, forwarded, options)
        else:
            self._faults.note("on_forward", options.backend, "")
            forwarded.failures = 0
            self._set(stream, forwarded, destinations, options)

    # --- the server ---

    def reconfigure(self) -> None:
        """Use the options of a reloaded configuration."""
        for stream in list(self._site.hub):
            self.look(stream)

    async def stop(self) -> None:
        """Wait until destinations have read the ends of their streams. Call it once the streams have ended."""
        self._stopped = True
        for forwarded in self._streams.values():
            forwarded.ask_no_more()
        deadline = self._site.loop.time() + limits.FORWARD_STOP_SECONDS
        while self._open and self._site.loop.time() < deadline:
            await asyncio.sleep(limits.STOP_STEP_SECONDS)
        for forward in list(self._open):
            forward.abort()
