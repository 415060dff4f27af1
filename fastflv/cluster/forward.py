"""One forward: one stream that is published to one other server, for as long as it is live."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass

from fastflv import limits
from fastflv.cluster.reach import Reach
from fastflv.cluster.remote import connect, fault_of
from fastflv.cluster.rtmplink import RtmpLink
from fastflv.cluster.states import ForwardState
from fastflv.config.destination import Destination, Place
from fastflv.config.model.play import StartMode
from fastflv.containers.variant import Variant
from fastflv.net.deadline import Deadline, Timers
from fastflv.playing.loopplayer import LoopPlayer
from fastflv.playing.player import Framing
from fastflv.playing.players import Players
from fastflv.playing.threadplayer import ThreadPlayer
from fastflv.protocols.rtmp.client import ClientSession
from fastflv.protocols.rtmp.clientevents import ClientEvent, Connected, Failed, Redirected, Started
from fastflv.protocols.rtmp.connectarguments import ConnectArguments
from fastflv.stream.endreason import EndReason
from fastflv.stream.hub import Hub
from fastflv.stream.lag import NO_STEPS, Steps
from fastflv.stream.stream import Phase, Stream

log = logging.getLogger(__name__)

LOOP = "the stream comes from there, and is not sent back"


@dataclass(frozen=True, slots=True)
class ForwardSite:
    """What all forwards of a server share."""

    loop: asyncio.AbstractEventLoop
    timers: Timers
    hub: Hub
    players: Players

    mark: str
    "Word that names this process to other servers, so that none sends it its own stream."

    buffer: memoryview
    "For reads."

    reach: Reach


class Forward:
    """Publishes *stream* to *destination*, and tries again until `stop` or the end of the stream.

    Media goes from the log to the socket as a player's does: this is its connection, with attempts and log lines.
    """

    def __init__(
        self,
        site: ForwardSite,
        stream: Stream,
        destination: Destination,
        *,
        verify: bool,
        on_end: Callable[[Forward], None],
    ) -> None:
        """*verify*: the certificate of the destination must be trusted. *on_end* is called once, when nothing of it is open."""
        self.stream = stream
        self.destination = destination
        self.verify = verify
        self.state = ForwardState.WAITING
        self.fault = ""
        "Why the last attempt failed or the connection was lost, one clause; empty while it forwards."
        self.attempts = 0
        "Connections tried since it began."
        self.failed = 0
        "Those that were not made, were refused or were lost."
        self.since = site.loop.time()
        "When the state began, monotonic clock, seconds."
        self._site = site
        self._on_end = on_end
        self._place = self._find_place()
        self._opening: asyncio.Task[None] | None = None
        self._link: RtmpLink | None = None
        self._player: ThreadPlayer | LoopPlayer | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = Deadline(site.timers, self._unanswered)
        self._stream_id = 0
        "Message stream of the publish."
        self._away = 0
        "Attempts in a row that did not reach the destination."
        self._refusals = 0
        "Those since then that reached it, and did not last."
        self._failures = 0
        "All attempts that failed since it forwarded last."
        self._ran = False
        "The log has a line of its begin."
        self._moved: Place | None = None
        "Where the destination has sent the present attempt."
        self._redirects = 0
        self._looped = False
        self._stopping: EndReason | None = None
        "Why it ends, once nothing of it is open."
        self._lost = ""
        "Why the connection was lost, while its player ends."
        self._sent = 0
        self._steps = NO_STEPS

    # --- what it shows ---

    @property
    def shown(self) -> str:
        """URL of the destination, without what may be secret."""
        return self._place.shown

    @property
    def sent(self) -> int:
        """Bytes sent by its players since it began."""
        return self._sent + (self._player.sent if self._player is not None else 0)

    @property
    def steps(self) -> Steps:
        """What was done about its lag."""
        return self._steps.then(self._player.steps if self._player is not None else None)

    @property
    def player(self) -> ThreadPlayer | LoopPlayer | None:
        """What sends its media, while something does."""
        return self._player

    # --- life ---

    def begin(self) -> None:
        """Connect, unless it does. Call it with each publish of the stream."""
        if self.state is ForwardState.LOOP:
            self._enter(ForwardState.WAITING)
        if self.state is ForwardState.WAITING and self._stopping is None:
            self._cancel_timer()
            self._away = self._refusals = 0
            self._attempt()

    def stop(self, reason: EndReason = EndReason.STOPPED) -> None:
        """Unpublish at the destination and close, for *reason*."""
        if self._stopping is not None:
            return
        self._stopping = reason
        self._cancel_timer()
        if self._player is not None:
            self._player.halt(lambda: self._player_ended(reason, True))
        elif self._link is not None:
            self._link.abort()
        elif self._opening is not None:
            self._opening.cancel()
        else:
            self._end()

    def abort(self) -> None:
        """Close at once: the server has no more time."""
        self._stopping = self._stopping or EndReason.SERVER_STOPS
        if self._link is not None:
            self._link.abort()

    def _enter(self, state: ForwardState) -> None:
        self.state = state
        self.since = self._site.loop.time()

    def _end(self) -> None:
        if self.state is ForwardState.ENDED:
            return
        self._enter(ForwardState.ENDED)
        self._site.reach.leave(self._address, self)
        self._deadline.cancel()
        if self._ran:
            log.info(
                "forward of %s to %s ends: %s; %d bytes, %s",
                self.stream.url, self.shown, self._stopping or EndReason.STREAM_ENDED, self.sent, self.steps,
            )  # fmt: skip
        self._on_end(self)

    # --- attempts ---

    def _find_place(self) -> Place:
        name, publisher = self.stream.name, self.stream.publisher
        param = publisher.param if publisher is not None else ""
        return self.destination.place(name.vhost, name.app, name.stream, param)

    def _attempt(self) -> None:
        self._timer = None
        if self.stream.phase is not Phase.LIVE:
            # `begin` follows with the next publisher.
            self._site.reach.leave(self._address, self)
            return
        self._redirects = 0
        self._place = self._find_place()
        if self._site.reach.may_try(self._address, self):
            self._connect(self._place)

    def _connect(self, place: Place) -> None:
        self._enter(ForwardState.CONNECTING)
        self.attempts += 1
        arguments = ConnectArguments(tc_url=place.tc_url, app=place.app, via=self._marks)
        session = ClientSession(arguments, noise=os.urandom)
        session.publish(place.name)
        self._opening = self._site.loop.create_task(self._open(place, session))

    async def _open(self, place: Place, session: ClientSession) -> None:
        site = self._site

        def make() -> RtmpLink:
            return RtmpLink(site.timers, session, self, site.buffer)

        try:
            await connect(site.loop, make, place.host, place.port, secure=place.secure, verify=self.verify)
        except (OSError, UnicodeError) as error:
            self._opening = None
            # Where a redirect led is no place that others wait for.
            tries = self._redirects > 0 or site.reach.failed(self._address, self)
            pauses = limits.FORWARD_RETRY_SECONDS
            pause = pauses[min(self._away, len(pauses) - 1)]
            self._away += 1
            # A destination that was away has begun anew.
            self._refusals = 0
            self._failed(fault_of(error), pause if tries else None)
        except asyncio.CancelledError:
            self._end()
        else:
            self._opening = None

    def _unanswered(self) -> None:
        if self._link is not None and self._player is None:
            self._link.abort(f"it does not answer within {limits.FORWARD_ANSWER_SECONDS:g} s")

    def _refused(self, fault: str) -> None:
        """The destination was reached, and has ended the connection."""
        pauses = limits.FORWARD_REFUSED_SECONDS
        pause = pauses[min(self._refusals, len(pauses) - 1)]
        self._refusals += 1
        self._away = 0
        self._failed(fault, pause)

    def _failed(self, fault: str, pause: float | None) -> None:
        """An attempt failed, or the connection is lost: try again behind *pause*, seconds; None: when told."""
        if self._stopping is not None or self.stream.phase is Phase.ENDED:
            self._end()
            return
        if not self._failures or fault != self.fault:
            log.warning(
                "forward of %s to %s fails: %s; it is tried again until the stream ends",
                self.stream.url, self.shown, fault,
            )  # fmt: skip
        self.fault = fault
        self.failed += 1
        self._enter(ForwardState.WAITING)
        if pause is not None:
            self._timer = self._site.loop.call_later(pause, self._attempt)
        self._failures += 1

    def retry(self) -> None:
        """The destination may be there."""
        if self.state is ForwardState.WAITING and self._stopping is None:
            self._cancel_timer()
            self._attempt()

    @property
    def _address(self) -> tuple[str, int]:
        return self.destination.host, self.destination.port

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    # --- LinkOwner ---

    def link_made(self, link: RtmpLink) -> None:
        self._link = link
        if not self._redirects:
            self._site.reach.worked(self._address)
        self._deadline.set(limits.FORWARD_ANSWER_SECONDS)

    def link_read(self, events: list[ClientEvent]) -> None:
        for event in events:
            match event:
                case Connected() if event.mark and event.mark in self._marks:
                    self._looped = True
                    self._cut(LOOP)
                case Started():
                    self._started(event.stream_id)
                case Redirected():
                    self._follow(event.url)
                case Failed():
                    why = ", ".join(filter(None, (event.code, event.description)))
                    self._cut(f"it refuses: {why or 'no reason'}")

    def link_say(self, output: bytes) -> None:
        if self._player is not None:
            self._player.say(output)
        elif self._link is not None:
            self._link.transport.write(output)

    def link_lost(self, fault: str) -> None:
        self._deadline.clear()
        self._site.hub.forget(self.stream.name, self._play)
        self._link = None
        self._stream_id = 0
        moved, self._moved = self._moved, None
        if self._player is not None:
            # It goes on with its end.
            self._lost = fault
            self._player.lost()
        elif self._looped:
            self._leave_loop()
        elif moved is not None and self._stopping is None:
            self._connect(moved)
        else:
            self._refused(fault)

    def pause_writing(self) -> None:
        if self._player is not None:
            self._player.pause_writing()

    def resume_writing(self) -> None:
        if self._player is not None:
            self._player.resume_writing()

    @property
    def _marks(self) -> tuple[str, ...]:
        """Of the servers that have the stream already."""
        publisher = self.stream.publisher
        return (*(publisher.via if publisher is not None else ()), self._site.mark)

    def _cut(self, fault: str) -> None:
        """Cut the connection off; `link_lost` follows."""
        if self._link is not None:
            self._link.abort(fault)

    def _follow(self, url: str) -> None:
        self._redirects += 1
        if self._redirects > limits.FORWARD_REDIRECTS_MAX:
            self._cut(f"it redirects more than {limits.FORWARD_REDIRECTS_MAX} times")
            return
        name = self.stream.name
        try:
            self._moved = Destination.parse(url).place(name.vhost, name.app, name.stream, "")
        except ValueError:
            self._cut("it redirects to what is no RTMP URL")
        else:
            self._cut("it redirects")

    def _leave_loop(self) -> None:
        self._looped = False
        if self._stopping is not None:
            self._end()
            return
        self.fault = LOOP
        log.warning("forward of %s to %s is left out: %s", self.stream.url, self.shown, LOOP)
        self._enter(ForwardState.LOOP)

    # --- media ---

    def _started(self, stream_id: int) -> None:
        if self._stream_id:
            return
        self._deadline.clear()
        self._stream_id = stream_id
        self._tell_start()
        self._enter(ForwardState.FORWARDING)
        if self.stream.settled:
            self._play(self.stream)
        else:
            # Before its first frames the stream does not know which headers to begin with.
            self._site.hub.wait(self.stream.name, self._play)

    def _play(self, stream: Stream) -> None:
        link, site, stream_id = self._link, self._site, self._stream_id
        if link is None or not link.is_open or self._stopping is not None:
            return
        variant = Variant("rtmp", chunk_size=link.session.chunk_size, stream_id=stream_id, publishes=True)
        outlet = stream.open(variant)
        self._player = site.players.play(link.transport, stream.options, Framing.RAW, self._player_ended)
        self._player.start(outlet, stream.start(outlet, begin=StartMode.GOP))

    def _tell_start(self) -> None:
        if not self._ran:
            log.info("forward of %s to %s begins", self.stream.url, self.shown)
        else:
            log.info(
                "forward of %s to %s goes on, %d attempts later", self.stream.url, self.shown, self._failures
            )
        self._ran = True
        self._failures = 0
        self.fault = self._lost = ""

    def _player_ended(self, reason: EndReason, whole: bool) -> None:
        player, self._player = self._player, None
        if player is None:
            return
        self._sent += player.sent
        self._steps = self._steps.then(player.steps)
        if self._site.loop.time() - self.since > limits.FORWARD_STEADY_SECONDS:
            self._refusals = 0
        link = self._link
        if self._stopping is None and reason in (EndReason.STREAM_ENDED, EndReason.SERVER_STOPS):
            self._stopping = reason
        if link is None:
            self._refused(self._lost)
        elif whole:
            link.session.delete(self._stream_id)
            link.finish(reason.value)
        else:
            link.abort(reason.value)
