"""Publishes to an edge: each is passed on to an origin, which is asked before the publisher has its answer.

The stream is here as that of any publisher, and its viewers here see it at once. What goes to the origin is read from its log.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from fastflv import limits
from fastflv.access.request import AccessRequest, Action
from fastflv.access.rule import UNASKED, Answer, LateRule, Waiting
from fastflv.access.verdict import ALLOW, Refusal, Refused, Verdict, forbid
from fastflv.cluster.address import SECURE, OriginAddress, UpstreamUrl, redirected, url_of
from fastflv.cluster.options import EdgeOptions
from fastflv.cluster.pulls import Pulls
from fastflv.cluster.remote import connect, fault_of
from fastflv.cluster.rtmplink import RtmpLink
from fastflv.config.model.play import StartMode
from fastflv.containers.variant import Variant
from fastflv.net.deadline import Deadline
from fastflv.playing.loopplayer import LoopPlayer
from fastflv.playing.player import Framing
from fastflv.playing.players import Players
from fastflv.playing.threadplayer import ThreadPlayer
from fastflv.protocols.rtmp.client import ClientSession
from fastflv.protocols.rtmp.clientevents import ClientEvent, Connected, Failed, Redirected, Started
from fastflv.protocols.rtmp.connectarguments import ConnectArguments
from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream

log = logging.getLogger(__name__)


class Relays(LateRule):
    """All publishes that are passed on: the last rule of edge vhosts, and a watcher of clients."""

    __slots__ = ("_relays", "buffer", "mark", "options_of", "players", "pulls")

    def __init__(
        self, pulls: Pulls, players: Players, mark: str, options_of: Callable[[str], EdgeOptions | None]
    ) -> None:
        """*mark* names this process to other servers, so that no publish goes in a circle.

        *options_of* returns the present options of a vhost by its own name; None: it is no edge.
        """
        self.mark = mark
        self.pulls = pulls
        self.players = players
        self.options_of = options_of
        self.buffer = memoryview(bytearray(limits.RELAY_READ_BYTES))
        "For reads."
        self._relays: dict[str, Relay] = {}
        "By id of the publisher."
        pulls.clients.joined.append(self.client_joined)
        pulls.clients.left.append(self.client_left)
        pulls.clients.arrivals.watchers.append(self._arrival_over)

    def __len__(self) -> int:
        return len(self._relays)

    def ask(self, request: AccessRequest, answer: Answer) -> Verdict | Waiting:
        if request.action is not Action.PUBLISH or self.options_of(request.vhost) is None:
            return ALLOW
        relay = self._relays[request.client_id] = Relay(self, request, answer)
        relay.begin()
        return relay

    def preview(self, request: AccessRequest) -> Verdict:
        passed_on = request.action is Action.PUBLISH and self.options_of(request.vhost) is not None
        return UNASKED if passed_on else ALLOW

    def forget(self, relay: Relay) -> None:
        """The relay is over."""
        if self._relays.get(relay.request.client_id) is relay:
            del self._relays[relay.request.client_id]

    def close(self) -> None:
        """Pass nothing on any more, also of publishers that another process has: it passes them on by itself."""
        for relay in list(self._relays.values()):
            relay.stop()

    def _arrival_over(self, id: str, reason: str) -> None:
        relay = self._relays.get(id)
        if relay is not None:
            relay.stop()

    # --- watchers of clients ---

    def client_joined(self, client: Client) -> None:
        if not client.publish or client.request.own:
            return
        relay = self._relays.get(client.id)
        if relay is not None:
            relay.joined(client)
        elif self.options_of(client.request.vhost) is not None:
            # Another process has admitted it, and handed it over.
            relay = self._relays[client.id] = Relay(self, client.request, None)
            relay.joined(client)
            relay.begin()

    def client_left(self, client: Client, reason: EndReason) -> None:
        relay = self._relays.get(client.id) if client.publish else None
        if relay is not None:
            relay.stop()


class Relay:
    """One publish that is passed on, from its request to its end: `Waiting` of the gate, owner of its connection."""

    def __init__(self, shared: Relays, request: AccessRequest, answer: Answer | None) -> None:
        """*answer*: of the gate; None: the publisher was admitted before."""
        self.request = request
        self._shared = shared
        self._loop = shared.pulls.dialer.loop
        self._hub = shared.pulls.publications.hub
        self._answer = answer
        "None once the gate has its answer."
        self._client: Client | None = None
        "None before the publisher has its name."
        self._queue: list[OriginAddress] = []
        self._origin: OriginAddress | None = None
        self._redirects = 0
        self._opening: asyncio.Task[None] | None = None
        self._link: RtmpLink | None = None
        self._stream_id = 0
        self._player: ThreadPlayer | LoopPlayer | None = None
        self._deadline = Deadline(shared.pulls.dialer.turns, self._unanswered)
        self._timer: asyncio.TimerHandle | None = None
        "For the next attempt."
        self._lost_at = 0.0
        "When the connection was lost, monotonic clock, seconds; 0: it was not."
        self._has_answered = False
        "The origin has answered, and ends the connection before the publish: it refuses, and is not down."
        self._moved: UpstreamUrl | None = None
        "Where the origin has sent the publish."
        self._over = False

    # --- the publisher's side ---

    def begin(self) -> None:
        """Ask the origins in their order; the first that answers decides."""
        options = self._shared.options_of(self.request.vhost)
        self._queue = self._shared.pulls.takers(self._name, options) if options is not None else []
        self._ask_next("there is none")

    def cancel(self) -> None:
        """The publisher is gone before its answer."""
        self._answer = None
        self.stop()

    def joined(self, client: Client) -> None:
        """The publisher has its name."""
        self._client = client
        if self._stream_id:
            self._send()
        else:
            self._lost_at = self._loop.time()

    def stop(self) -> None:
        """Unpublish at the origin, and close."""
        if self._over:
            return
        self._over = True
        self._deadline.cancel()
        self._shared.forget(self)
        self._hub.forget(self._name, self._play)
        if self._timer is not None:
            self._timer.cancel()
        if self._opening is not None:
            self._opening.cancel()
        if self._player is not None:
            self._player.halt(self._halted)
        else:
            self._close()

    @property
    def _marks(self) -> tuple[str, ...]:
        """Of the servers that have the stream already."""
        return (*self.request.via, self._shared.mark)

    @property
    def _name(self) -> StreamName:
        request = self.request
        return StreamName(request.vhost, request.app, request.stream)

    # --- asking ---

    def _ask_next(self, fault: str) -> None:
        self._timer = None
        if self._over:
            return
        if self._queue:
            self._redirects = 0
            self._ask(self._queue.pop(0))
        elif self._client is None:
            self._settle(Refused(Refusal.UNAVAILABLE, f"no origin takes {self._name.url}: {fault}"))
        elif self._loop.time() - self._lost_at > limits.RELAY_HOLD_SECONDS:
            log.warning("publish of %s ends: no origin takes it: %s", self._name.url, fault)
            self._client.drop(EndReason.ORIGIN)
        else:
            self._timer = self._loop.call_later(limits.RELAY_RETRY_SECONDS, self.begin)

    def _ask(self, origin: OriginAddress) -> None:
        options = self._shared.options_of(self.request.vhost)
        if options is None:
            self._ask_next("the vhost is no edge any more")
            return
        self._origin = origin
        vhost = options.vhost_at_origin(self.request.vhost)
        self._open(url_of(origin, self._name, vhost, self.request.param))

    def _open(self, url: UpstreamUrl) -> None:
        dialer, place = self._shared.pulls.dialer, url.origin
        arguments = ConnectArguments(tc_url=url.tc_url, app=url.app, server=dialer.about, via=self._marks)
        session = ClientSession(arguments, noise=os.urandom)
        session.publish(url.stream)

        def make() -> RtmpLink:
            return RtmpLink(dialer.turns, session, self, self._shared.buffer)

        async def run() -> None:
            try:
                await connect(self._loop, make, place.host, place.port, secure=place.scheme in SECURE)
            except OSError as error:
                self._opening = None
                self.link_lost(fault_of(error))
            else:
                self._opening = None

        self._opening = self._loop.create_task(run())

    def _unanswered(self) -> None:
        self._has_answered = False
        if self._link is not None:
            self._link.abort("no answer in time")

    def _settle(self, verdict: Verdict) -> None:
        """Give the gate its answer."""
        answer, self._answer = self._answer, None
        if not isinstance(verdict, type(ALLOW)):
            self.stop()
        if answer is not None:
            answer(verdict)

    # --- LinkOwner ---

    def link_made(self, link: RtmpLink) -> None:
        self._link = link
        if self._over:
            link.abort()
        else:
            self._deadline.set(limits.RELAY_ANSWER_SECONDS)

    def link_read(self, events: list[ClientEvent]) -> None:
        for event in events:
            match event:
                case Connected(mark=mark) if mark and mark in self._marks:
                    self._refused("the publish comes from there")
                case Connected():
                    self._has_answered = True
                case Started(stream_id=stream_id):
                    self._started(stream_id)
                case Redirected(url=url):
                    self._follow(url)
                case Failed():
                    self._refused(event.description or event.code or "no reason")

    def link_say(self, output: bytes) -> None:
        if self._player is not None:
            self._player.say(output)
        elif self._link is not None:
            self._link.transport.write(output)

    def link_lost(self, fault: str) -> None:
        self._deadline.clear()
        self._hub.forget(self._name, self._play)
        self._link = None
        self._stream_id = 0
        player, self._player = self._player, None
        if player is not None:
            player.lost()
        moved, self._moved = self._moved, None
        if self._over:
            return
        if moved is not None:
            self._open(moved)
            return
        answered, self._has_answered = self._has_answered, False
        if self._origin is not None and not answered:
            self._shared.pulls.origins.failed(self._origin, fault)
        log.warning("publish of %s: %s: %s", self._name.url, self._origin, fault)
        if not self._lost_at:
            self._lost_at = self._loop.time()
        self._ask_next(fault)

    def pause_writing(self) -> None:
        if self._player is not None:
            self._player.pause_writing()

    def resume_writing(self) -> None:
        if self._player is not None:
            self._player.resume_writing()

    def _started(self, stream_id: int) -> None:
        if self._stream_id:
            return
        self._deadline.clear()
        self._has_answered = False
        self._stream_id = stream_id
        self._lost_at = 0.0
        log.info("publish of %s is passed on to %s", self._name.url, self._origin)
        if self._client is not None:
            self._send()
            return
        # Viewers of what was fetched stay for the publisher.
        self._shared.pulls.give_way(self._name)
        self._settle(ALLOW)

    def _refused(self, why: str) -> None:
        if self._client is None:
            self._settle(forbid(f"the origin refuses {self._name.url}: {why}"))
        elif self._stream_id:
            log.warning("publish of %s ends: %s refuses: %s", self._name.url, self._origin, why)
            self._client.drop(EndReason.ORIGIN)
        elif self._link is not None:
            # An origin that has lost the publish may not know that yet.
            self._has_answered = True
            self._link.abort(f"it refuses: {why}")

    def _follow(self, place: str) -> None:
        url = redirected(place)
        self._redirects += 1
        if url is None or url.origin.scheme not in ("rtmp", "rtmps"):
            self._refused("it redirects to what is no RTMP URL")
        elif self._redirects > limits.UPSTREAM_REDIRECTS_MAX:
            self._refused(f"more than {limits.UPSTREAM_REDIRECTS_MAX} redirects")
        elif self._link is not None:
            self._moved = url
            self._link.abort("it redirects")

    # --- media ---

    def _send(self) -> None:
        assert self._client is not None
        stream = self._client.stream
        if stream.settled:
            self._play(stream)
        else:
            self._hub.wait(self._name, self._play)

    def _play(self, stream: Stream) -> None:
        link = self._link
        if link is None or not link.is_open or not self._stream_id or self._over:
            return
        variant = Variant(
            "rtmp", chunk_size=link.session.chunk_size, stream_id=self._stream_id, publishes=True
        )
        outlet = stream.open(variant)
        options = replace(stream.options, merge_window_ms=0)
        ended = partial(self._player_ended, link)
        self._player = self._shared.players.play(link.transport, options, Framing.RAW, ended)
        self._player.start(outlet, stream.start(outlet, begin=StartMode.GOP))

    def _player_ended(self, link: RtmpLink, reason: EndReason, whole: bool) -> None:
        if link is not self._link:
            # The connection was lost before, and another one may be there.
            return
        self._player = None
        if self._over:
            self._close()
        elif reason not in (EndReason.STREAM_ENDED, EndReason.SERVER_STOPS):
            link.abort(reason.value)

    def _halted(self) -> None:
        self._player = None
        self._close()

    def _close(self) -> None:
        link = self._link
        if link is not None and link.is_open:
            if self._stream_id:
                link.session.delete(self._stream_id)
            link.finish("the publisher left")
