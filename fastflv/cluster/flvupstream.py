"""Upstreams by HTTP-FLV.

Spec: RFC 9112; Adobe FLV v10.1, E.2 to E.4.
"""

from __future__ import annotations

from urllib.parse import urljoin

from fastflv import __version__, limits
from fastflv._ext.ingest.tagread import TagReader
from fastflv.cluster.address import WORKER, OriginAddress, UpstreamUrl
from fastflv.cluster.upstream import Dialer, Fault, FaultKind, Upstream, UpstreamOwner
from fastflv.containers.flv.metadata import script_name
from fastflv.protocols.http.reply import Reply
from fastflv.protocols.messagebudget import MessageBudget
from fastflv.servers.http.live import RESUMES
from fastflv.stream.publication import Publication

AGENT = f"fastflv-edge/{__version__}"


class FlvUpstream(Upstream):
    """Plays a stream of an HTTP server."""

    _speaks_first = False

    def __init__(
        self,
        dialer: Dialer,
        owner: UpstreamOwner,
        url: UpstreamUrl,
        origin: OriginAddress,
        hops: int = 0,
        *,
        resumes: bool = False,
    ) -> None:
        """*resumes*: players have the stream until now."""
        super().__init__(dialer, owner, url, origin, hops)
        self._reply = Reply()
        self._reader = TagReader()
        self._reader.sink = self._collected
        self._resumes = resumes
        self._budget = MessageBudget()

    def _connected(self) -> None:
        # The stream is waited for at the origin: it answers when it is there.
        self._deadline.set(limits.UPSTREAM_HEAD_SECONDS)
        url = self.url
        worker = f"{WORKER}: {url.secret}\r\n" if url.secret else ""
        self._write(
            f"GET {url.target} HTTP/1.1\r\nHost: {url.host}\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\n"
            f"{worker}{RESUMES}: {self._resumes:d}\r\nConnection: close\r\n\r\n".encode("latin-1", "replace")
        )

    def _receive(self, data: memoryview) -> None:
        reply = self._reply
        known = reply.status
        pieces = reply.feed(data)
        if reply.status and not known:
            self._answered()
            if reply.status != 200:
                self._over(self._refusal(reply))
                return
        now = self._dialer.loop.time()
        for piece in pieces:
            self._take(piece, now)
            if self._owner is None:
                return
        if reply.complete:
            self._over(Fault(FaultKind.ABSENT, "the stream has ended at the origin"))

    def _take(self, piece: bytes, now: float) -> None:
        reader = self._reader
        at = reader.feed(piece)
        while reader.message is not None:
            _, timestamp, body = reader.message
            self._budget.spend(len(body), now)
            name = script_name(body)
            if name:
                self._script(name, timestamp, body)
            at = reader.feed(piece, at)

    def _refusal(self, reply: Reply) -> Fault:
        status, location = reply.status, reply.fields.get("location", "")
        if status in (301, 302, 303, 307, 308) and location:
            return Fault(FaultKind.MOVED, urljoin(f"{self.url.origin}{self.url.target}", location))
        kind = FaultKind.REFUSED if status in (401, 403) else FaultKind.ABSENT
        if status >= 500:
            kind = FaultKind.UNREACHABLE
        return Fault(kind, f"the origin answers {status}")

    def _aim(self, publication: Publication) -> None:
        self._reader.sink = publication.sink

    def _ended(self) -> Fault:
        if not self.has_media:
            what = "media" if self._reply.status else "an answer"
            return Fault(FaultKind.CLOSED, f"the origin closed the connection without {what}")
        return Fault(FaultKind.UNREACHABLE, "the connection to the origin was lost")

    @property
    def _inside(self) -> bool:
        return self._reader.inside
