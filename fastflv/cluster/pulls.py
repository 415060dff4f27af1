"""All pulls of a server: what joins ask for streams that are published elsewhere."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator

from fastflv import limits
from fastflv.access.request import AccessRequest
from fastflv.cluster.address import OriginAddress, origin_at, rtmp_origin_at
from fastflv.cluster.directories import Directories
from fastflv.cluster.options import EdgeOptions
from fastflv.cluster.origins import Origins
from fastflv.cluster.pull import Pull
from fastflv.cluster.upstream import Dialer
from fastflv.net.deadline import Handle
from fastflv.playing.join import Absent, Fetching, JoinFailure
from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.publication import Publications
from fastflv.stream.stream import Phase, Stream


class Refused:
    """A stream that no origin is asked for: who wants it is told in the next turn of the loop."""

    __slots__ = ("_handle", "failure")

    def __init__(self, dialer: Dialer, absent: Absent, failure: JoinFailure, why: str) -> None:
        self.failure = failure, why
        self._handle = dialer.loop.call_soon(absent, failure, why)

    def cancel(self) -> None:
        self._handle.cancel()


class Pulls:
    """Fetches each stream once, however many want it, while somebody wants it: `Fetches` of all joins."""

    def __init__(
        self,
        dialer: Dialer,
        publications: Publications,
        origins: Origins,
        options_of: Callable[[StreamName], EdgeOptions | None],
    ) -> None:
        """*options_of* returns how a stream is fetched at present; None: it is published here."""
        self.dialer = dialer
        self.publications = publications
        self.clients = publications.clients
        self.origins = origins
        self.seeking: set[Pull] = set()
        "Those whose stream no origin has sent."
        self.begun = 0
        "Pulls since the start."
        self.switches = 0
        "Times that another upstream went on, since the start."
        self._options_of = options_of
        self._directories: Directories | None = None
        self._pulls: dict[StreamName, Pull] = {}
        self._looked_up: dict[tuple[str, StreamName], dict[Pull, None]] = {}
        "Pulls by the directory and the name by which it knows their streams; vhosts may have one name at the origin."
        self._absent: OrderedDict[StreamName, float] = OrderedDict()
        "Streams that no origin had, and until when that holds; monotonic clock, seconds."
        self._timer: Handle | None = None
        self._announce_at = 0.0
        "When origins are told again of this edge, monotonic clock, seconds."
        self.clients.left.append(self.client_left)
        publications.hub.watchers.append(self)

    def follow(self, directories: Directories) -> None:
        """Look streams up in *directories* from now on."""
        self._directories = directories
        directories.watchers.append(self._located)

    def origins_of(self, name: StreamName, options: EdgeOptions, scheme: str) -> list[OriginAddress]:
        """Return the servers to ask for the stream, because of a viewer who came by *scheme*, in their order."""
        directory = self._directories.at(options.directory) if self._directories is not None else None
        found: list[OriginAddress] = []
        if directory is not None:
            found = [
                origin
                for node in directory.having(options.at_origin(name))
                if (origin := origin_at(node, options.scheme_for(scheme))) is not None
            ]
        return self.origins.ordered(dict.fromkeys((*found, *options.origins_for(scheme))))

    def takers(self, name: StreamName, options: EdgeOptions) -> list[OriginAddress]:
        """Return the servers to which a publish of *name* is passed on, in the order in which they are to be asked."""
        directory = self._directories.at(options.directory) if self._directories is not None else None
        nodes = directory.origins(options.vhost_at_origin(name.vhost)) if directory is not None else []
        found = (rtmp_origin_at(node) for node in nodes)
        return self.origins.ordered(dict.fromkeys((*filter(None, found), *options.rtmp_origins)))

    def _located(self, url: str, there: StreamName) -> None:
        """A server of the directory at *url* has begun to have the stream *there*."""
        for pull in list(self._looked_up.get((url, there), ())):
            pull.located()

    def _index(self, pull: Pull) -> None:
        self._looked_up.setdefault(pull.place, {})[pull] = None

    def _drop_index(self, pull: Pull) -> None:
        found = self._looked_up.get(pull.place, {})
        found.pop(pull, None)
        if not found:
            self._looked_up.pop(pull.place, None)

    def __iter__(self) -> Iterator[Pull]:
        return iter(self._pulls.values())

    def __len__(self) -> int:
        return len(self._pulls)

    def fetch(
        self, request: AccessRequest, name: StreamName, absent: Absent, on_missing: float
    ) -> Fetching | None:
        """As `Fetches` says."""
        options = self._options_of(name)
        if options is None or request.own:
            return None
        pull = self._pulls.get(name)
        stream = self.publications.hub.find(name)
        if pull is None and stream is not None and stream.phase is Phase.LIVE:
            # It is published here.
            return None
        if pull is None:
            now = self.dialer.loop.time()
            if on_missing <= 0 and self._absent.get(name, 0.0) > now:
                return Refused(self.dialer, absent, JoinFailure.MISSING, f"no origin has {name.url}")
            if len(self.seeking) >= limits.PULLS_SEEKING_MAX:
                why = f"origins are being asked for {limits.PULLS_SEEKING_MAX} other streams"
                return Refused(self.dialer, absent, JoinFailure.UNAVAILABLE, why)
            pull = self._add(name, options, request)
        return pull.wish(request, absent, on_missing)

    def resume(self, stream: Stream, request: AccessRequest) -> None:
        """Fetch *stream*, which is in its grace period, because of *request* of one of its players; nothing where the vhost is no edge."""
        options = self._options_of(stream.name)
        if options is not None and stream.name not in self._pulls:
            self._add(stream.name, options, request).resume(stream)

    def _add(self, name: StreamName, options: EdgeOptions, request: AccessRequest) -> Pull:
        pull = self._pulls[name] = Pull(self, name, options, request)
        self._index(pull)
        self.seeking.add(pull)
        self.begun += 1
        self.origins.announce(pull.spares)
        if self._timer is None:
            self._announce_at = self.dialer.loop.time() + limits.ORIGIN_ANNOUNCE_SECONDS
            self._timer = self.dialer.loop.call_later(limits.PULL_LOOK_SECONDS, self._look)
        return pull

    def give_way(self, name: StreamName) -> None:
        """The stream is published here: its viewers wait for the publisher."""
        pull = self._pulls.get(name)
        if pull is not None:
            pull.end(EndReason.RESTARTED)

    def note_absent(self, name: StreamName) -> None:
        """No origin has the stream: they are not asked again at once."""
        self._absent[name] = self.dialer.loop.time() + limits.PULL_ABSENT_SECONDS
        self._absent.move_to_end(name)
        if len(self._absent) > limits.PULLS_ABSENT_MAX:
            self._absent.popitem(last=False)

    def forget(self, pull: Pull) -> None:
        """The pull is over."""
        if self._pulls.get(pull.name) is pull:
            del self._pulls[pull.name]
            self._drop_index(pull)
            self.seeking.discard(pull)

    def adopt(self) -> None:
        """A new configuration is in force."""
        for pull in list(self._pulls.values()):
            options = self._options_of(pull.name)
            if options is None:
                pull.end(EndReason.FORBIDDEN)
            else:
                pull.adopt(options)
        self._looked_up.clear()
        for pull in self:
            self._index(pull)
        self.origins.keep_named()
        self.origins.announce(self._spares)

    async def close(self) -> None:
        """Fetch nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for pull in list(self._pulls.values()):
            pull.end(EndReason.SERVER_STOPS)
        await self.origins.close()

    def _look(self) -> None:
        self._timer = None
        now = self.dialer.loop.time()
        for pull in list(self._pulls.values()):
            pull.look(now)
        if now >= self._announce_at:
            self._announce_at = now + limits.ORIGIN_ANNOUNCE_SECONDS
            self.origins.announce(self._spares, again=True)
        if self._pulls:
            self._timer = self.dialer.loop.call_later(limits.PULL_LOOK_SECONDS, self._look)

    @property
    def _spares(self) -> set[OriginAddress]:
        """Origins that may have to go on with what is fetched."""
        return {origin for pull in self._pulls.values() for origin in pull.spares}

    # --- ends of clients ---

    def client_left(self, client: Client, reason: EndReason) -> None:
        pull = self._pulls.get(client.stream.name)
        if pull is not None and not client.publish:
            pull.viewer_left()

    # --- Watcher of the hub ---

    def stream_began(self, stream: Stream) -> None: ...

    def stream_left(self, stream: Stream) -> None: ...

    def stream_ended(self, stream: Stream) -> None:
        pull = self._pulls.get(stream.name)
        if pull is not None:
            pull.stream_ended(stream)
