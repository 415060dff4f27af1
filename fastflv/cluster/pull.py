"""Pulls: one stream each that is fetched because somebody wants to see it.

Its origins are asked in their order, those that are down last. One that has sent nothing for UPSTREAM_HEDGE_SECONDS is not waited
for alone. The first that sends media feeds the stream. When that is lost or silent the others are asked again, and
one of them goes on where players are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fastflv import limits
from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv.access.request import AccessRequest, Action
from fastflv.cluster.address import OriginAddress, UpstreamUrl, redirected, url_of
from fastflv.cluster.flvupstream import FlvUpstream
from fastflv.cluster.options import EdgeOptions
from fastflv.cluster.rhythm import Rhythm
from fastflv.cluster.rtmpupstream import RtmpUpstream
from fastflv.cluster.splice import Tail, tail_of
from fastflv.cluster.upstream import Fault, FaultKind, Held, Upstream
from fastflv.errors import StreamBusyError
from fastflv.media.codecs import SCRIPT
from fastflv.net.deadline import Deadline, Handle
from fastflv.net.ip import canonical
from fastflv.net.peer import Peer
from fastflv.net.peertext import masked
from fastflv.playing.join import Absent, JoinFailure
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.publication import Publication
from fastflv.stream.stream import Stream

if TYPE_CHECKING:
    from fastflv.cluster.pulls import Pulls

log = logging.getLogger(__name__)


class Wish:
    """One who waits for a stream that is fetched."""

    __slots__ = ("_absent", "_pull", "patient_until", "request")

    def __init__(self, pull: Pull, request: AccessRequest, absent: Absent, patient_until: float) -> None:
        self._pull: Pull | None = pull
        self._absent = absent
        self.request = request
        self.patient_until = patient_until
        "Until when it waits for a publisher, monotonic clock, seconds."

    @property
    def failure(self) -> tuple[JoinFailure, str]:
        """What to answer if the stream does not come in time."""
        if self._pull is None:
            return JoinFailure.MISSING, "no origin has the stream"
        return self._pull.failure

    def cancel(self) -> None:
        """The wait is over; no harm when it was before."""
        pull, self._pull = self._pull, None
        if pull is not None:
            pull.unwish(self)

    def refuse(self, failure: JoinFailure, why: str) -> None:
        """Tell that the stream does not come."""
        self._pull = None
        self._absent(failure, why)


class Pull:
    """One stream that is fetched, from the first who wants it to `linger` behind the last: the source of its publications."""

    def __init__(self, shared: Pulls, name: StreamName, options: EdgeOptions) -> None:
        self.name = name
        self.options = options
        self.upstream: Upstream | None = None
        "Feeds the stream; None before the first, and while another one is looked for."
        self.switches = 0
        "How often another upstream went on."
        self._shared = shared
        self._wishes: dict[Wish, None] = {}
        self._request: AccessRequest | None = None
        "Whose parameters and protocol the origins are asked with."
        self._attempts: list[Upstream] = []
        "Those that may feed the stream next."
        self._queue: list[OriginAddress] = []
        "Those to be asked next in this round."
        self._faults: list[Fault] = []
        "Of this round."
        self._timer: Handle | None = None
        "For the next origin, or for the next round."
        self._publication: Publication | None = None
        self._stream: Stream | None = None
        self._rhythm: Rhythm | None = None
        self._compared: dict[Upstream, float] = {}
        "Upstreams whose media is compared with the stream's, and since when; monotonic clock, seconds."
        self._held_since = 0.0
        "Since when no origin feeds the stream; 0: one does."
        self._linger = Deadline(shared.dialer.turns, self._nobody)
        self._over = False

    # --- those who want it ---

    def wish(self, request: AccessRequest, absent: Absent, on_missing: float) -> Wish:
        """Fetch the stream because of *request*, as `Fetches.fetch` says."""
        wish = Wish(self, request, absent, self._shared.dialer.loop.time() + on_missing)
        self._wishes[wish] = None
        self._linger.clear()
        if self._request is None:
            self._request = request
        if self.upstream is None and not self._attempts and self._timer is None:
            self._seek()
        return wish

    def unwish(self, wish: Wish) -> None:
        """One who waited has the stream, or is gone."""
        self._wishes.pop(wish, None)
        self.viewer_left()

    def viewer_left(self) -> None:
        """One viewer is gone: pull on for a while if it was the last."""
        if not self._over and not self._is_wanted:
            self._linger.set(self.options.linger)

    @property
    def _is_wanted(self) -> bool:
        if self._wishes:
            return True
        stream = self._stream
        return stream is not None and self._shared.clients.count(stream) > (self._publication is not None)

    def _nobody(self) -> None:
        if not self._is_wanted:
            self.end(EndReason.IDLE)

    @property
    def failure(self) -> tuple[JoinFailure, str]:
        """What those who have waited in vain are told."""
        fault = self._faults[-1] if self._faults else None
        if fault is not None and fault.kind not in (FaultKind.ABSENT, FaultKind.REFUSED):
            return JoinFailure.UNAVAILABLE, f"no origin of {self.name.url} can be reached: {fault.why}"
        return JoinFailure.MISSING, f"no origin has {self.name.url}"

    # --- asking origins ---

    def _seek(self) -> None:
        """Begin a round: ask one origin after the other."""
        self._stop_timer()
        assert self._request is not None
        origins = self._shared.origins.ordered(self.options.origins_for(self._request.scheme))
        if self.upstream is not None:
            present = self.upstream.origin
            origins.sort(key=lambda origin: origin == present)
        self._queue = origins
        self._faults = []
        self._ask_next()

    def _ask_next(self) -> None:
        self._stop_timer()
        if not self._queue:
            return
        assert self._request is not None
        origin = self._queue.pop(0)
        vhost = self.options.vhost_at_origin(self.name.vhost)
        self._ask(url_of(origin, self.name, vhost, self._request.param), origin)
        if self._queue:
            self._timer = self._shared.dialer.loop.call_later(limits.UPSTREAM_HEDGE_SECONDS, self._hedge)

    def _hedge(self) -> None:
        """No media so far: ask one more. An origin that has said nothing at all is asked later by other streams."""
        self._timer = None
        for upstream in self._attempts:
            if upstream.is_mute:
                self._shared.origins.failed(upstream.origin, "it says nothing")
        self._ask_next()

    def _ask(self, url: UpstreamUrl, origin: OriginAddress, hops: int = 0) -> None:
        dialer = self._shared.dialer
        self._shared.origins.health(origin).attempts += 1
        upstream: Upstream
        if url.origin.scheme in ("rtmp", "rtmps"):
            upstream = RtmpUpstream(dialer, self, url, origin, hops, upnode=self.options.upnode)
        else:
            upstream = FlvUpstream(dialer, self, url, origin, hops)
        self._attempts.append(upstream)
        upstream.open()

    def _round_over(self) -> None:
        """All origins have failed."""
        kinds = {fault.kind for fault in self._faults}
        if self._publication is not None or self._stream_stays:
            self._miss_upstream(kinds)
        elif FaultKind.REFUSED in kinds:
            self._refuse_first()
        else:
            if kinds <= {FaultKind.ABSENT}:
                self._refuse_impatient()
            if self._wishes:
                self._again()
            else:
                self.end(EndReason.STREAM_ENDED)

    def _refuse_impatient(self) -> None:
        """No origin has the stream: tell those who have waited for a publisher as long as they should."""
        self._shared.note_absent(self.name)
        now = self._shared.dialer.loop.time()
        for wish in [wish for wish in self._wishes if wish.patient_until <= now]:
            del self._wishes[wish]
            wish.refuse(*self.failure)

    @property
    def _stream_stays(self) -> bool:
        """The stream is in its grace period, and somebody plays it."""
        return self._stream is not None and self._shared.clients.count(self._stream) > 0

    def _again(self) -> None:
        """Ask once more in a while."""
        self._stop_timer()
        self._timer = self._shared.dialer.loop.call_later(limits.PULL_RETRY_SECONDS, self._seek)

    def _refuse_first(self) -> None:
        """The viewer whose parameters the origins were given may not play: ask them for the next one."""
        fault = next(fault for fault in self._faults if fault.kind is FaultKind.REFUSED)
        for wish in [wish for wish in self._wishes if wish.request.param == self._param]:
            del self._wishes[wish]
            wish.refuse(JoinFailure.FORBIDDEN, f"the origin refuses {self.name.url}: {fault.why}")
        self._request = next((wish.request for wish in self._wishes), None)
        if self._request is None:
            self.end(EndReason.FORBIDDEN)
        else:
            self._seek()

    @property
    def _param(self) -> str:
        return self._request.param if self._request is not None else ""

    # --- UpstreamOwner ---

    def upstream_media(self, upstream: Upstream) -> None:
        if self._publication is None:
            self._begin(upstream)
        else:
            self._compare(upstream)

    def upstream_over(self, upstream: Upstream, fault: Fault) -> None:
        if upstream is self.upstream:
            self._lost(fault)
            return
        self._attempts.remove(upstream)
        self._compared.pop(upstream, None)
        if fault.kind is FaultKind.MOVED:
            fault = self._follow(upstream, fault) or fault
            if fault.kind is FaultKind.MOVED:
                return
        log.info("stream %s: %s: %s", self.name.url, upstream.url.origin, fault.why)
        if fault.kind is FaultKind.UNREACHABLE and not upstream.hops:
            self._shared.origins.failed(upstream.origin, fault.why)
        self._faults.append(fault)
        if self._queue:
            self._ask_next()
        elif not self._attempts:
            self._round_over()

    def _follow(self, upstream: Upstream, fault: Fault) -> Fault | None:
        """Ask where the stream has moved to; return a fault where that leads nowhere."""
        url = redirected(fault.why)
        if url is None:
            return Fault(FaultKind.BROKEN, f"it redirects to {masked(fault.why)}, which is no stream")
        if upstream.hops >= limits.UPSTREAM_REDIRECTS_MAX:
            return Fault(FaultKind.BROKEN, f"more than {limits.UPSTREAM_REDIRECTS_MAX} redirects")
        self._ask(url, upstream.origin, upstream.hops + 1)
        return None

    # --- feeding the stream ---

    def _begin(self, upstream: Upstream) -> None:
        """Have *upstream* feed the stream from its first message on."""
        shared = self._shared
        peer = Peer(canonical(upstream.address), canonical(upstream.address), secure=upstream.is_secure)
        scheme = upstream.url.origin.scheme
        request = AccessRequest(
            action=Action.PUBLISH,
            peer=peer,
            client_id=peer.id,
            vhost=self.name.vhost,
            app=self.name.app,
            stream=self.name.stream,
            output="rtmp-pull" if scheme in ("rtmp", "rtmps") else "flv-pull",
            scheme=scheme,
            tc_url=upstream.url.tc_url,
            own=True,
        )
        try:
            publication = shared.publications.begin(self.name, self.options.publish, request, self)
        except StreamBusyError as error:
            log.info("stream %s is not fetched any more: %s", self.name.url, error.detail)
            self.end(EndReason.STOPPED)
            return
        self._publication = publication
        self._stream = publication.stream
        self._use(upstream, upstream.held)

    def _use(self, upstream: Upstream, messages: Iterable[Held]) -> None:
        """Give *messages* to the stream, then all that *upstream* brings. The other upstreams are closed."""
        publication = self._publication
        assert publication is not None
        former = self.upstream
        self._attempts.remove(upstream)
        self._stop_seeking()
        if former is not None:
            self._shared.origins.health(former.origin).streams -= 1
            former.close()
        self.upstream = upstream
        self._held_since = 0.0
        health = self._shared.origins.health(upstream.origin)
        health.streams += 1
        self._shared.origins.worked(upstream.origin)
        now = self._shared.dialer.loop.time()
        publication.begin_read(now)
        reader = ChunkReader()
        reader.set_sink(1, publication.sink)
        for each in messages:
            if each.kind == SCRIPT:
                publication.take_script(each.name, each.body, each.timestamp)
            else:
                reader.deliver(each.kind, each.timestamp, 1, each.body)
        reader.set_sink(1, None)
        upstream.attach(publication)
        publication.end_read()
        self._rhythm = Rhythm(now, publication.sink.bytes)

    # --- losing it ---

    def look(self, now: float) -> None:
        """Find out whether the upstream has stalled; its connection stays, since it may go on."""
        rhythm, publication, upstream = self._rhythm, self._publication, self.upstream
        if upstream is None or rhythm is None or publication is None:
            if self._held_since and now - self._held_since > limits.PULL_HOLD_SECONDS:
                log.warning(
                    "stream %s ends: no origin could be reached for %g s",
                    self.name.url,
                    limits.PULL_HOLD_SECONDS,
                )
                self.end(EndReason.SILENT)
            return
        stalled = rhythm.look(now, publication.sink.bytes)
        if stalled and not self._attempts and self._timer is None:
            log.warning(
                "stream %s: %s sends nothing for %.1f s: other connections are tried",
                self.name.url, upstream.origin, rhythm.patience,
            )  # fmt: skip
            self._seek()
        elif not stalled and self._attempts and not self._moving:
            log.info("stream %s: %s sends again", self.name.url, upstream.origin)
            self._stop_seeking()

    @property
    def _moving(self) -> bool:
        """The present origin is none of the configuration any more."""
        assert self._request is not None and self.upstream is not None
        return self.upstream.origin not in self.options.origins_for(self._request.scheme)

    def _lost(self, fault: Fault) -> None:
        upstream, self.upstream = self.upstream, None
        assert upstream is not None
        origins = self._shared.origins
        origins.health(upstream.origin).streams -= 1
        log.warning("stream %s: %s: %s", self.name.url, upstream.origin, fault.why)
        if fault.kind is FaultKind.UNREACHABLE:
            origins.failed(upstream.origin, fault.why)
        self._held_since = self._shared.dialer.loop.time()
        if not self._attempts:
            self._seek()

    def _miss_upstream(self, kinds: set[FaultKind]) -> None:
        """No origin goes on with the stream now."""
        publication = self._publication
        if self.upstream is None and publication is not None and kinds <= {FaultKind.ABSENT}:
            self._publication = None
            publication.end(EndReason.STREAM_ENDED)
        if not self._over:
            self._again()

    def _compare(self, upstream: Upstream) -> None:
        """Let *upstream* go on where players are; at a keyframe where it does not have what they have."""
        now = self._shared.dialer.loop.time()
        since = self._compared.setdefault(upstream, now)
        assert self._stream is not None and self._publication is not None
        tail = tail_of(self._stream.log)
        offset = tail.offset(upstream.held)
        if offset is not None:
            if tail.caught_up(upstream.held, offset):
                self._go_on(upstream, tail, offset)
        elif now - since > limits.SPLICE_WAIT_SECONDS:
            self._restart(upstream)

    def _go_on(self, upstream: Upstream, tail: Tail, offset: int) -> None:
        assert self._publication is not None
        self.switches += 1
        log.info("stream %s goes on from %s, no frame repeated", self.name.url, upstream.url.origin)
        self._publication.sink.finish()
        self._publication.sink.shift(offset + tail.epoch_ms)
        self._use(upstream, tail.rest(upstream.held, offset))

    def _restart(self, upstream: Upstream) -> None:
        """Begin another publication on the connections of the players."""
        publication, self._publication = self._publication, None
        assert publication is not None
        self.switches += 1
        log.info("stream %s goes on from %s at a keyframe", self.name.url, upstream.url.origin)
        publication.end(EndReason.RESTARTED)
        if not self._over:
            self._begin(upstream)

    # --- ends ---

    def adopt(self, options: EdgeOptions) -> None:
        """Take the settings of a new configuration; an origin that it does not name is left for another one."""
        former, self.options = self.options, options
        if options.linger != former.linger and not self._is_wanted:
            self._linger.set(options.linger)
        if self.upstream is not None and self._moving and not self._attempts:
            self._seek()

    def end(self, reason: EndReason) -> None:
        """Fetch no more. Viewers stay for the grace period of the stream; those who wait are refused."""
        if self._over:
            return
        self._over = True
        self._linger.cancel()
        self._stop_seeking()
        failure = self.failure
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            self._shared.origins.health(upstream.origin).streams -= 1
            upstream.close()
        publication, self._publication = self._publication, None
        if publication is not None:
            publication.end(reason)
        self._shared.forget(self)
        wishes, self._wishes = list(self._wishes), {}
        for wish in wishes:
            wish.refuse(*failure)
        if self._stream is not None and not self._shared.clients.count(self._stream):
            self._shared.publications.hub.cut_grace(self._stream)

    def stream_ended(self, stream: Stream) -> None:
        """The stream has ended: its grace is over."""
        if stream is self._stream:
            self._stream = None
            if not self._wishes:
                self.end(EndReason.STREAM_ENDED)

    def _stop_seeking(self) -> None:
        self._stop_timer()
        self._queue = []
        self._compared.clear()
        attempts, self._attempts = self._attempts, []
        for upstream in attempts:
            upstream.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- Source ---

    @property
    def sent(self) -> int:
        return self.upstream.sent if self.upstream is not None else 0

    def publication_dropped(self, publication: Publication, reason: EndReason) -> None:
        self.end(reason)
