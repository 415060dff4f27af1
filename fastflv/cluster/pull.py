"""Pulls: one stream each that is fetched because somebody wants to see it.

The first origin that sends media feeds the stream. When that is lost or silent the others are asked, and
one of them goes on where players are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from fastflv import limits
from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv.access.request import AccessRequest, Action
from fastflv.cluster.address import OriginAddress, UpstreamUrl, url_of
from fastflv.cluster.asking import Asking
from fastflv.cluster.options import EdgeOptions
from fastflv.cluster.rhythm import Rhythm
from fastflv.cluster.search import Search
from fastflv.cluster.splice import Tail, from_key, tail_of
from fastflv.cluster.states import PullState
from fastflv.cluster.upstream import Fault, FaultKind, Held, Upstream
from fastflv.cluster.wish import Wish
from fastflv.config.masking import masked
from fastflv.errors import StreamBusyError
from fastflv.media.codecs import SCRIPT
from fastflv.net.deadline import Deadline, Handle
from fastflv.net.ip import canonical
from fastflv.net.peer import Peer
from fastflv.playing.join import Absent, JoinFailure
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.publication import Publication
from fastflv.stream.stream import Stream

if TYPE_CHECKING:
    from fastflv.cluster.pulls import Pulls

log = logging.getLogger(__name__)


class Pull:
    """One stream that is fetched, from the first who wants it to `linger` behind the last: the source of its publications."""

    def __init__(self, shared: Pulls, name: StreamName, options: EdgeOptions, request: AccessRequest) -> None:
        """*request*: of the first who wants it."""
        self.name = name
        self.options = options
        self.upstream: Upstream | None = None
        "Feeds the stream; None before the first, and while another one is looked for."
        self.switches = 0
        "How often another upstream went on."
        self._shared = shared
        self._loop = shared.dialer.loop
        self._asking = Asking(request)
        self._wishes: dict[Wish, None] = {}
        self._search: Search | None = None
        self._warm: Search | None = None
        "Has the stream from another origin meanwhile, where the options want that."
        self._leaves = False
        "The present origin is none of the configuration any more: another one is to go on."
        self._warm_next = 0.0
        "When the next one may begin, monotonic clock, seconds."
        self._timer: Handle | None = None
        "For the next search."
        self._fault: Fault | None = None
        "Of the last search."
        self._publication: Publication | None = None
        self._stream: Stream | None = None
        self._rhythm: Rhythm | None = None
        self._doubted = False
        "It seemed stalled at the last look, and may have media in its socket."
        self._compared: dict[Upstream, float] = {}
        "Upstreams whose media is compared with the stream's, and since when; monotonic clock, seconds."
        self._tail: Tail | None = None
        "What players have, as of the last comparison."
        self._lost_at = 0.0
        "When the last upstream was lost, monotonic clock, seconds; 0: it was not."
        self._linger = Deadline(shared.dialer.turns, self._nobody)
        self._over = False

    # --- those who want it ---

    def wish(self, request: AccessRequest, absent: Absent, on_missing: float) -> Wish:
        """Fetch the stream because of *request*, as `Fetches.fetch` says."""
        wish = Wish(self, request, absent, self._loop.time() + on_missing)
        self._wishes[wish] = None
        self._linger.clear()
        if self.upstream is None and self._search is None and self._timer is None:
            self._seek()
        return wish

    def resume(self, stream: Stream) -> None:
        """Fetch *stream*, whose players are there and which nobody publishes now."""
        self._stream = stream
        self._seek()

    def unwish(self, wish: Wish) -> None:
        """One who waited has the stream, or is gone."""
        self._wishes.pop(wish, None)
        self.viewer_left()

    def viewer_left(self) -> None:
        """One viewer is gone: pull on for a while if it was the last."""
        if not self._over and not self._is_wanted:
            # A stream that never came is not kept.
            self._linger.set(self.options.linger if self._stream is not None else 0.0)

    @property
    def spares(self) -> tuple[OriginAddress, ...]:
        """Origins that may have to go on with the stream, those of the directory aside: they need not be told."""
        origins = self.options.origins_for(self._asking.request.scheme)
        return origins if len(origins) > 1 or self.options.directory else ()

    @property
    def place(self) -> tuple[str, StreamName]:
        """URL of the directory where the stream is looked up, and its name there."""
        return self.options.directory, self.options.at_origin(self.name)

    @property
    def waiting(self) -> int:
        """Viewers who wait for the stream."""
        return len(self._wishes)

    @property
    def state(self) -> PullState:
        if self._publication is None:
            return PullState.SEEKING
        if self.upstream is None or self._search is not None:
            return PullState.SWITCHING
        return PullState.FETCHING if self._is_wanted else PullState.LINGERING

    @property
    def failure(self) -> tuple[JoinFailure, str]:
        """What those who have waited in vain are told."""
        fault = self._fault
        if fault is not None and fault.kind not in (FaultKind.ABSENT, FaultKind.REFUSED):
            return JoinFailure.UNAVAILABLE, f"no origin of {self.name.url} can be reached: {fault.why}"
        return JoinFailure.MISSING, f"no origin has {self.name.url}"

    @property
    def _viewers(self) -> int:
        """Players of the stream."""
        if self._stream is None:
            return 0
        publishers = (self._publication is not None) + bool(self._stream.standby_id)
        return self._shared.clients.count(self._stream) - publishers

    @property
    def _is_wanted(self) -> bool:
        return bool(self._wishes) or self._viewers > 0

    def _nobody(self) -> None:
        if not self._is_wanted:
            self.end(EndReason.IDLE)

    # --- searching ---

    def _make_search(self, *, warm: bool = False) -> Search:
        shared, options = self._shared, self.options
        return Search(
            shared.dialer,
            shared.origins,
            self,
            self.name,
            self._url_at,
            upnode=options.upnode,
            warm=warm,
            resumes=self._publication is not None and not warm,
        )

    def _url_at(self, origin: OriginAddress) -> UpstreamUrl:
        options = self.options
        vhost = options.vhost_at_origin(self.name.vhost)
        return url_of(origin, self.name, vhost, self._asking.request.param, options.secret)

    @property
    def _origins(self) -> list[OriginAddress]:
        """In the order in which they are to be asked: the one that brings the stream last."""
        origins = self._shared.origins_of(self.name, self.options, self._asking.request.scheme)
        present = self.upstream.origin if self.upstream is not None else None
        return sorted(origins, key=lambda origin: origin == present)

    def _seek(self) -> None:
        """Have the warm upstream go on, or ask the origins."""
        self._stop_timer()
        search, self._warm = self._warm or self._make_search(), None
        self._search = search
        search.wanted()
        if self._search is search:
            search.begin(self._origins)

    def located(self) -> None:
        """The directory has a server more that has the stream."""
        if self.upstream is None and self._search is None and self._is_wanted:
            self._seek()

    def _again(self) -> None:
        """Ask once more in a while."""
        self._stop_timer()
        self._timer = self._loop.call_later(limits.PULL_RETRY_SECONDS, self._seek)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_search(self) -> None:
        self._stop_timer()
        self._compared.clear()
        self._tail = None
        search, self._search = self._search, None
        if search is not None:
            search.stop()

    def _requests(self) -> Iterator[AccessRequest]:
        """Of all viewers, those who wait first."""
        for wish in self._wishes:
            yield wish.request
        if self._stream is not None:
            for client in self._shared.clients.of(self._stream):
                if not client.publish:
                    yield client.request

    # --- SearchOwner ---

    def search_media(self, search: Search, upstream: Upstream) -> None:
        if self._publication is None:
            self._begin(upstream, upstream.held)
        else:
            self._compare(upstream)

    def search_failed(self, search: Search, faults: list[Fault]) -> None:
        if search is self._warm:
            self._warm = None
            return
        self._search = None
        self._fault = faults[-1]
        kinds = {fault.kind for fault in faults}
        publication = self._publication
        if publication is not None and self.upstream is None and kinds <= {FaultKind.ABSENT}:
            # The publisher has left all origins: its viewers stay for the grace period.
            self._publication = None
            self._shared.seeking.add(self)
            publication.end(EndReason.STREAM_ENDED)
        elif publication is None and not self._viewers:
            if FaultKind.REFUSED in kinds:
                self._refuse_asked(next(each for each in faults if each.kind is FaultKind.REFUSED))
            elif not kinds & {FaultKind.UNREACHABLE, FaultKind.CLOSED}:
                self._refuse_impatient()
        if self._over or self._search is not None:
            return
        if not self._wishes and not self._viewers and self._publication is None:
            self.end(EndReason.STREAM_ENDED)
            return
        may_be_refused = bool(kinds & {FaultKind.REFUSED, FaultKind.CLOSED})
        if self._asking.failed(self._requests(), may_be_refused=may_be_refused):
            self._seek()
        else:
            self._again()

    def _refuse_asked(self, fault: Fault) -> None:
        """Those for whom the origins were asked, by the same parameters and scheme, may not play."""
        for wish in [wish for wish in self._wishes if self._asking.is_of(wish.request)]:
            del self._wishes[wish]
            wish.refuse(JoinFailure.FORBIDDEN, f"the origin refuses {self.name.url}: {fault.why}")

    def _refuse_impatient(self) -> None:
        """All origins have answered: tell those who have waited for a publisher as long as they should."""
        if self.failure[0] is JoinFailure.MISSING:
            self._shared.note_absent(self.name)
        now = self._loop.time()
        for wish in [wish for wish in self._wishes if wish.patient_until <= now]:
            del self._wishes[wish]
            wish.refuse(*self.failure)

    # --- feeding the stream ---

    def _begin(self, upstream: Upstream, messages: Iterable[Held]) -> None:
        """Have *upstream* feed the stream, from *messages* on, which it holds."""
        shared = self._shared
        address, scheme = canonical(upstream.address), upstream.url.origin.scheme
        peer = Peer(address, address, secure=upstream.is_secure)
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
        shared.seeking.discard(self)
        self._stream = publication.stream
        log.info("stream %s is fetched from %s", self.name.url, masked(upstream.url.shown))
        self._use(upstream, messages)

    def _use(self, upstream: Upstream, messages: Iterable[Held]) -> None:
        """Give *messages* to the stream, then all that *upstream* brings. The other upstreams are closed."""
        publication, search = self._publication, self._search
        assert publication is not None and search is not None
        search.take(upstream)
        self._stop_search()
        self._leave_upstream()
        self.upstream = upstream
        self._lost_at = 0.0
        self._asking.worked()
        self._leaves = False
        self._shared.origins.took(upstream.origin)
        now = self._loop.time()
        publication.begin_read(now)
        reader = ChunkReader()
        reader.set_sink(1, publication.sink)
        for each in messages:
            if each.kind == SCRIPT:
                publication.take_script(each.name, each.body, each.timestamp)
            else:
                reader.deliver(each.kind, each.timestamp, 1, each.body)
        reader.set_sink(1, None)
        upstream.attach(self, publication)
        publication.end_read()
        self._rhythm = Rhythm(now, publication.sink.bytes)

    def _leave_upstream(self) -> None:
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            self._shared.origins.left(upstream.origin)
            upstream.close()

    # --- another origin goes on ---

    def look(self, now: float) -> None:
        """Find out whether the upstream has stalled; its connection stays, since it may go on."""
        rhythm, publication, upstream = self._rhythm, self._publication, self.upstream
        if upstream is None or rhythm is None or publication is None:
            if self._lost_at and now - self._lost_at > limits.PULL_HOLD_SECONDS:
                log.warning(
                    "stream %s ends: no origin had it for %g s", self.name.url, limits.PULL_HOLD_SECONDS
                )
                self.end(EndReason.SILENT)
            return
        stalled = rhythm.look(now, publication.sink.bytes)
        if stalled and not self._doubted and self._hasten():
            self._doubted = True
            return
        self._doubted = stalled
        if stalled and self._search is None and self._timer is None:
            log.warning(
                "stream %s: %s sends nothing for %.1f s: other connections are tried",
                self.name.url, upstream.origin, rhythm.patience,
            )  # fmt: skip
            self._seek()
        elif stalled or self._leaves:
            return
        elif self._search is not None or self._timer is not None:
            log.info("stream %s: %s sends again", self.name.url, upstream.origin)
            self._stop_search()
        elif self._warm is not None:
            self._warm.keep_seconds = rhythm.patience + limits.PULL_WARM_SECONDS
        elif self.options.warm and now >= self._warm_next:
            self._warm_next = now + limits.PULL_RETRY_SECONDS
            others = [origin for origin in self._origins if origin != upstream.origin]
            if others:
                self._warm = self._make_search(warm=True)
                self._warm.begin(others[:1])

    def _hasten(self) -> bool:
        """Have what may gather in the socket of the upstream read at once; False where it has been."""
        stream = self._stream
        return stream is not None and not stream.outlets.is_watched and stream.hasten()

    def upstream_over(self, upstream: Upstream, fault: Fault) -> None:
        """As `UpstreamOwner` says: the one that feeds the stream is lost."""
        log.warning("stream %s: %s: %s", self.name.url, upstream.origin, fault.why)
        self._leave_upstream()
        if fault.kind is FaultKind.UNREACHABLE:
            self._shared.origins.failed(upstream.origin, fault.why)
        self._lost_at = self._loop.time()
        if self._search is None:
            self._seek()

    def upstream_media(self, upstream: Upstream) -> None:
        """As `UpstreamOwner` says: the one that feeds the stream holds nothing."""

    def _compare(self, upstream: Upstream) -> None:
        """Let *upstream* go on where players are; at a keyframe where it does not have what they have."""
        now = self._loop.time()
        since = self._compared.setdefault(upstream, now)
        assert self._stream is not None and self._publication is not None
        media_log = self._stream.log
        if self._tail is None or self._tail.head != media_log.head:
            self._tail = tail_of(media_log)
        tail = self._tail
        offset = tail.offset(upstream.held)
        if offset is not None:
            # Where the publisher itself is silent another connection has nothing new either.
            rest = tail.rest(upstream.held, offset)
            if tail.caught_up(upstream.held, offset) and (rest or self.upstream is None):
                self._go_on(upstream, rest, offset + tail.epoch_ms)
        elif now - since > limits.SPLICE_WAIT_SECONDS:
            self._restart(upstream)

    def _go_on(self, upstream: Upstream, rest: list[Held], offset: int) -> None:
        assert self._publication is not None
        self._note_switch()
        log.info("stream %s goes on from %s, no frame repeated", self.name.url, upstream.url.origin)
        self._publication.sink.finish()
        self._publication.sink.shift(offset)
        self._use(upstream, rest)

    def _note_switch(self) -> None:
        self.switches += 1
        self._shared.switches += 1

    def _restart(self, upstream: Upstream) -> None:
        """Begin another publication on the connections of the players."""
        publication, self._publication = self._publication, None
        assert publication is not None
        self._note_switch()
        log.info("stream %s goes on from %s at a keyframe", self.name.url, upstream.url.origin)
        publication.end(EndReason.RESTARTED)
        if not self._over:
            self._begin(upstream, from_key(upstream.held))

    # --- ends ---

    def adopt(self, options: EdgeOptions) -> None:
        """Take the settings of a new configuration; an origin that it does not name is left for another one."""
        former, self.options = self.options, options
        if options.linger != former.linger and not self._is_wanted:
            self._linger.set(options.linger)
        if self._warm is not None and options != former:
            self._warm.stop()
            self._warm = None
        scheme = self._asking.request.scheme
        gone = set(former.origins_for(scheme)) - set(options.origins_for(scheme))
        if self.upstream is not None and self.upstream.origin in gone:
            self._leaves = True
            if self._search is None:
                self._seek()

    def end(self, reason: EndReason) -> None:
        """Fetch no more. Viewers stay for the grace period of the stream; those who wait are refused."""
        if self._over:
            return
        self._over = True
        self._linger.cancel()
        self._stop_search()
        if self._warm is not None:
            self._warm.stop()
        failure = self.failure
        publication, self._publication = self._publication, None
        if publication is not None:
            publication.end(reason)
        self._leave_upstream()
        self._shared.forget(self)
        wishes, self._wishes = list(self._wishes), {}
        for wish in wishes:
            wish.refuse(*failure)
        if self._stream is not None and not self._viewers:
            self._shared.publications.hub.cut_grace(self._stream)

    def stream_ended(self, stream: Stream) -> None:
        """The stream has ended: its grace is over."""
        if stream is self._stream:
            self._stream = None
            if not self._wishes:
                self.end(EndReason.STREAM_ENDED)

    # --- Source ---

    @property
    def sent(self) -> int:
        return self.upstream.sent if self.upstream is not None else 0

    def publication_dropped(self, publication: Publication, reason: EndReason) -> None:
        self.end(reason)
