"""Searches: origins are asked for a stream until one sends media.

They are asked in order. One that has sent nothing for UPSTREAM_HEDGE_SECONDS is not waited for alone, and redirects are followed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from fastflv import limits
from fastflv.cluster.address import OriginAddress, UpstreamUrl, redirected
from fastflv.cluster.flvupstream import FlvUpstream
from fastflv.cluster.origins import Origins
from fastflv.cluster.rtmpupstream import RtmpUpstream
from fastflv.cluster.upstream import Dialer, Fault, FaultKind, Upstream
from fastflv.config.masking import masked
from fastflv.net.deadline import Handle
from fastflv.stream.name import StreamName

log = logging.getLogger(__name__)


class SearchOwner(Protocol):
    """What a search tells."""

    def search_media(self, search: Search, upstream: Upstream) -> None:
        """A read has brought messages that *upstream* holds: `take` it, or wait for more."""

    def search_failed(self, search: Search, faults: list[Fault]) -> None:
        """Each origin has failed, and why, the last one last; called once, and not after `stop` or `take`."""


class Search:
    """The attempts to have one stream. A *warm* one keeps what comes until `wanted`."""

    def __init__(
        self,
        dialer: Dialer,
        origins: Origins,
        owner: SearchOwner,
        name: StreamName,
        url_at: Callable[[OriginAddress], UpstreamUrl],
        *,
        upnode: bool,
        warm: bool = False,
        resumes: bool = False,
    ) -> None:
        """*url_at* returns where an origin has the stream. *upnode*: tell RTMP origins about this server.

        *resumes*: players have the stream until now, from another connection.
        """
        self._dialer = dialer
        self._origins = origins
        self._owner = owner
        self._name = name
        self._url_at = url_at
        self._upnode = upnode
        self._resumes = resumes
        self.keep_seconds = 0.0
        "Of a warm one: how much of what came it keeps, seconds."
        self._warm = warm
        self._attempts: list[Upstream] = []
        self._queue: list[OriginAddress] = []
        "Those to be asked next."
        self._faults: list[Fault] = []
        self._timer: Handle | None = None
        self._over = False

    @property
    def origins(self) -> set[OriginAddress]:
        """Those that are being asked."""
        return {upstream.origin for upstream in self._attempts}

    def begin(self, origins: Iterable[OriginAddress]) -> None:
        """Ask *origins*, besides those that are being asked."""
        asked = self.origins
        self._queue = [origin for origin in origins if origin not in asked]
        if self._queue or asked:
            self._ask_next()
        else:
            # Not within the call that begins the search.
            self._timer = self._dialer.loop.call_soon(self._nowhere)

    def _nowhere(self) -> None:
        self._timer = None
        self._over = True
        self._owner.search_failed(self, [Fault(FaultKind.ABSENT, "no server of the directory has it")])

    def wanted(self) -> None:
        """Tell of what a warm upstream has, and of all that comes."""
        self._warm = False
        for upstream in list(self._attempts):
            upstream.keep_seconds = 0.0
            if upstream.held and not self._over:
                self._owner.search_media(self, upstream)

    def take(self, upstream: Upstream) -> None:
        """*upstream* is the owner's, and the search is over."""
        self._attempts.remove(upstream)
        self.stop()

    def stop(self) -> None:
        """Ask no more."""
        self._over = True
        self._stop_timer()
        attempts, self._attempts = self._attempts, []
        for upstream in attempts:
            upstream.close()

    # --- asking ---

    def _ask_next(self) -> None:
        self._stop_timer()
        if self._queue:
            origin = self._queue.pop(0)
            self._ask(self._url_at(origin), origin)
        if self._queue:
            self._timer = self._dialer.loop.call_later(limits.UPSTREAM_HEDGE_SECONDS, self._hedge)

    def _hedge(self) -> None:
        """No media so far: ask one more. An origin that has said nothing at all is asked later by other streams."""
        self._timer = None
        for upstream in self._attempts:
            if upstream.is_mute:
                self._origins.failed(upstream.origin, "it says nothing")
        self._ask_next()

    def _ask(self, url: UpstreamUrl, origin: OriginAddress, hops: int = 0) -> None:
        self._origins.health(origin).attempts += 1
        upstream: Upstream
        if url.origin.scheme in ("rtmp", "rtmps"):
            upstream = RtmpUpstream(
                self._dialer, self, url, origin, hops, upnode=self._upnode, resumes=self._resumes
            )
        else:
            upstream = FlvUpstream(self._dialer, self, url, origin, hops, resumes=self._resumes)
        self._attempts.append(upstream)
        upstream.open()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- UpstreamOwner ---

    def upstream_media(self, upstream: Upstream) -> None:
        if self._warm:
            upstream.keep_seconds = self.keep_seconds
        else:
            self._owner.search_media(self, upstream)

    def upstream_over(self, upstream: Upstream, fault: Fault) -> None:
        self._attempts.remove(upstream)
        if fault.kind is FaultKind.MOVED:
            stays = self._follow(upstream, fault.why)
            if stays is None:
                return
            fault = stays
        log.info("stream %s: %s: %s", self._name.url, upstream.url.origin, fault.why)
        if fault.kind is FaultKind.UNREACHABLE and not upstream.hops:
            self._origins.failed(upstream.origin, fault.why)
        self._faults.append(fault)
        if self._queue:
            self._ask_next()
        elif not self._attempts:
            self._over = True
            self._owner.search_failed(self, self._faults)

    def _follow(self, upstream: Upstream, place: str) -> Fault | None:
        """Ask where the stream has moved to; return a fault where that leads nowhere."""
        url = redirected(place)
        if url is None:
            return Fault(FaultKind.BROKEN, f"it redirects to {masked(place)}, which is no stream")
        if upstream.hops >= limits.UPSTREAM_REDIRECTS_MAX:
            return Fault(FaultKind.BROKEN, f"more than {limits.UPSTREAM_REDIRECTS_MAX} redirects")
        self._ask(url, upstream.origin, upstream.hops + 1)
        return None
