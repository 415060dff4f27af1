"""The other workers of a machine, as one of them knows them: who publishes what, and where each answers."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode
from zlib import crc32

from fastflv import limits
from fastflv.access.request import AccessRequest, Action, Role
from fastflv.access.rule import UNASKED, Answer, LateRule, Waiting
from fastflv.access.verdict import ALLOW, Refusal, Refused, Verdict
from fastflv.cluster.address import WORKER, OriginAddress
from fastflv.cluster.options import EdgeOptions, pulled
from fastflv.control.workerchannel import Fields, WorkerChannel
from fastflv.control.workerplace import WorkerPlace
from fastflv.control.workerrelay import HOST, VIEWER, WorkerRelay, ask, request_head, unavailable, viewer_of
from fastflv.net.listener import Acceptance, Listener
from fastflv.net.networkset import NetworkSet
from fastflv.net.peer import Peer
from fastflv.protocols.http import crossdomain
from fastflv.protocols.http.crossdomain import CrossDomain
from fastflv.protocols.http.exchange import Exchange, Handler
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.api import jsonp, merging
from fastflv.servers.api.paging import page_of
from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason
from fastflv.stream.name import StreamName
from fastflv.stream.publication import PublishOptions
from fastflv.stream.stream import Phase

if TYPE_CHECKING:
    from fastflv.cluster.pulls import Pulls
    from fastflv.control.server import Server

log = logging.getLogger(__name__)

IN_PROCESS: Final = Peer("", "")

ASKED: Final = "Fastflv-Asked"
"Field of a question to the API of a worker itself. An app may be named `api`: paths do not tell them apart."


class Claim:
    """One publisher whose name is asked for at the parent."""

    __slots__ = ("_task",)

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def cancel(self) -> None:
        self._task.cancel()


class ClaimRule(LateRule):
    """Asks the parent whether another worker has a publisher of the name. Asked last: who is refused claims nothing."""

    __slots__ = ("_siblings",)

    def __init__(self, siblings: Siblings) -> None:
        self._siblings = siblings

    def ask(self, request: AccessRequest, answer: Answer) -> Verdict | Waiting:
        if request.action is not Action.PUBLISH:
            return ALLOW
        return Claim(asyncio.ensure_future(self._siblings.claim(request, answer)))

    def preview(self, request: AccessRequest) -> Verdict:
        return UNASKED if request.action is Action.PUBLISH else ALLOW


class PrivatePort:
    """Answers the other workers: streams to pull, and what this worker's own API says."""

    def __init__(self, secret: str, streams: Handler, api: Handler) -> None:
        self._secret = secret
        self._streams = streams
        self._api = api

    def cross_domain(self, request: Request) -> CrossDomain:
        return crossdomain.NONE

    @property
    def trusted(self) -> NetworkSet:
        """No proxy stands between workers."""
        return NetworkSet(())

    def __call__(self, exchange: Exchange) -> None:
        request = exchange.request
        # What answers the request must not show it.
        secret = request.headers.pop(WORKER.lower(), "")
        if not hmac.compare_digest(secret.encode(), self._secret.encode()):
            exchange.respond(Response.of_text(403, "this port is for the workers of the server"))
            return
        viewer, asked = (request.headers.pop(name.lower(), "") for name in (VIEWER, ASKED))
        request.peer = viewer_of(viewer, replace(request.peer, own=True))
        # A viewer's own fields are passed on with its request.
        (self._api if asked and not viewer else self._streams)(exchange)


class Siblings:
    """What this worker shares with the others: names of publishers, streams, and answers of the API."""

    def __init__(self, place: WorkerPlace, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self.place = place
        server.hub.id_for = lambda name: place.id_of(*name)
        # An edge announces itself to one of the workers.
        server.hub.expect_edges()
        self._server = server
        self._loop = loop
        self._owners: dict[StreamName, int] = {}
        "The worker that publishes each stream, of all workers."
        self._homes: dict[StreamName, int] = {}
        "The worker that published each stream last, the newest ones at the end."
        self._absent: set[int] = set()
        "Workers that have died, until the next one in their place serves. Their ports accept all the same."
        self._claimed: dict[str, StreamName] = {}
        "Names that publishers of this worker have, by client."
        self._relay = WorkerRelay(loop, place.secret)
        self._listener: Listener | None = None
        self._channel: WorkerChannel | None = None

    async def start(self, commands: Mapping[str, Callable[[], object]], orphaned: Callable[[], None]) -> None:
        """Answer parent and workers, before the first client comes.

        *commands*: what the parent may ask for. *orphaned* is called when the parent is gone.
        """
        server = self._server
        channel, listener = self.place.sockets()
        self._channel = WorkerChannel(
            {
                "published": self._published,
                "taken": self._taken,
                "left": self._left,
                "absent": lambda fields: self._absent.add(fields["worker"]),
                "present": lambda fields: self._absent.discard(fields["worker"]),
                **{name: partial(_ask, command) for name, command in commands.items()},
            },
            orphaned,
        )
        port = PrivatePort(self.place.secret, server.streams, server.own_api)
        acceptance = Acceptance(partial(server.serve_http, port), kept=limits.API_CONNECTIONS_KEPT)
        self._listener = Listener(
            self._loop, listener, server.connection_limit, "worker", acceptance, server.opening
        )
        server.gate.rules.append(ClaimRule(self))
        server.clients.left.append(self._client_left)
        server.clients.arrivals.watchers.append(lambda id, reason: self._release(id))
        server.api.others = self._ask_all
        server.metrics.others = self._ask_metrics
        server.live_streams.others = partial(self._ask_each, "GET", api=False)
        await self._channel.open(channel)

    def ready(self) -> None:
        """Tell the parent that this worker serves clients."""
        assert self._channel is not None
        self._channel.tell("ready")

    def close(self) -> None:
        """Answer nobody any more."""
        self._relay.close()
        if self._listener is not None:
            self._listener.close()
        if self._channel is not None:
            self._channel.close()

    def has(self, name: StreamName) -> bool:
        """Whether a worker, be it this one, publishes the stream."""
        return name in self._owners

    def home(self, name: StreamName) -> int:
        """Return the worker that publishes a stream, or did so last; 0: none did, as far as is remembered."""
        return self._homes.get(name, 0)

    def pass_on(self, exchange: Exchange, name: StreamName) -> bool:
        """Have another worker answer a request of a viewer of HLS; False where it is answered here."""
        vhost = self._server.runtime.vhosts.get(name.vhost)
        ports, worker = self.place.ports, self.home(name)
        if not worker and vhost is not None and vhost.edge is not None:
            # Each worker fetches such a stream for itself: the name says which of them makes the segments.
            worker = crc32("/".join(name).encode()) % len(ports) + 1
        if worker in (0, self.place.number) or exchange.request.peer.relayed:
            return False
        if worker in self._absent:
            exchange.respond(unavailable())
        else:
            self._relay.send(exchange, ports[worker - 1])
        return True

    def is_own(self, name: StreamName) -> bool:
        """Off where another worker does for a stream what is done once: recording, forwards and files of HLS."""
        return self.home(name) in (0, self.place.number)

    def names(self, address: OriginAddress) -> bool:
        """Whether another worker answers at *address*."""
        return address.host == HOST and address.port in self.place.others.values()

    def edge(self, name: StreamName, publish: PublishOptions) -> EdgeOptions | None:
        """Return how a stream that another worker publishes is fetched; None for any other stream."""
        port = self.place.others.get(self._owners.get(name, 0))
        if port is None:
            return None
        origin = OriginAddress("http", HOST, port)
        return EdgeOptions((origin,), secret=self.place.secret, publish=pulled(publish))

    async def reload_all(self) -> dict[str, object]:
        """Have the parent tell all workers to reload; return their report. Raises ConnectionError, TimeoutError."""
        assert self._channel is not None
        report = await self._channel.ask("reload")
        if not isinstance(report, dict) or "configuration" not in report:
            raise ConnectionResetError(
                "; ".join(report["problems"]) if isinstance(report, dict) else "no report"
            )
        return report

    # --- answers of all workers ---

    async def _ask_all(self, method: str, request: Request) -> list[merging.Answer]:
        """Return what each worker answers to a request of the API; those that do not answer are left out."""
        args: dict[str, object] = {
            name: value for name, value in request.args.items() if name not in jsonp.PARAMETERS
        }
        if request.path in merging.LISTS:
            args |= {"start": 0, "count": sum(page_of(request))}
        target = f"{quote(request.path)}?{urlencode(args)}"
        return [json.loads(each) for each in await self._ask_each(method, target)]

    async def _ask_metrics(self) -> list[str]:
        """Return the text of each worker, likewise."""
        return [each.decode() for each in await self._ask_each("GET", "/metrics")]

    async def _ask_each(self, method: str, target: str, *, api: bool = True) -> list[bytes]:
        fields = {"Host": "api", "Connection": "close"} | ({ASKED: "api"} if api else {})
        head = request_head(method, target, self.place.secret, fields)
        found = await asyncio.gather(*(ask(port, head) for port in self.place.ports), return_exceptions=True)
        answers = [each for each in found if isinstance(each, bytes)]
        for error in found:
            if isinstance(error, BaseException):
                log.warning("a worker does not answer: %s", str(error) or type(error).__name__)
        if not answers:
            raise ConnectionError("no worker answers")
        return answers

    # --- names ---

    async def claim(self, request: AccessRequest, answer: Answer) -> None:
        """Ask the parent for the name of a publisher."""
        name = StreamName(request.vhost, request.app, request.stream)
        id = request.client_id
        vhost = self._server.runtime.vhosts.get(request.vhost)
        # A backup takes no name: it would end the primary one, beside which it cannot stand by at another worker.
        takeover = vhost is not None and vhost.publish.takeover and request.role is Role.PRIMARY
        assert self._channel is not None
        self._claimed[id] = name
        try:
            owner = await self._channel.ask("claim", name=name, client=id, takeover=takeover)
        except (ConnectionError, TimeoutError):
            self._release(id)
            answer(Refused(Refusal.UNAVAILABLE, "the parent of the workers does not answer"))
            return
        except asyncio.CancelledError:
            self._release(id)
            raise
        if owner == self.place.number:
            answer(ALLOW)
        else:
            del self._claimed[id]
            answer(Refused(Refusal.BUSY, f"stream {request.url} has a publisher already, at worker {owner}"))

    def _release(self, id: str) -> None:
        name = self._claimed.pop(id, None)
        if name is not None and self._channel is not None:
            # Without its parent this worker is about to end.
            with contextlib.suppress(ConnectionError):
                self._channel.tell("release", name=name, client=id)

    def _published(self, fields: Fields) -> None:
        """A worker has the stream now, 0: none. Whoever waits for it here is served."""
        name, owner = StreamName(*fields["name"]), fields["worker"]
        if not owner:
            self._owners.pop(name, None)
            return
        self._owners[name] = owner
        self._remember(name, owner)
        if owner == self.place.number:
            return
        # Its files outlive the stream.
        hls, forwards = self._server.parts.hls, self._server.parts.forwards
        if hls is not None:
            hls.muxers.look(name)
        hub = self._server.hub
        stream = hub.find(name)
        if stream is not None:
            self._server.recorders.look(stream)
            if forwards is not None:
                forwards.look(stream)
        if stream is not None and stream.phase is Phase.GRACE and stream.is_read:
            self._pulls.resume(stream, _asked(name))
        elif hub.is_awaited(name):
            self._follow(name)

    def _remember(self, name: StreamName, worker: int) -> None:
        self._homes.pop(name, None)
        self._homes[name] = worker
        if len(self._homes) > limits.WORKER_HOMES_MAX:
            gone = next((each for each in self._homes if each not in self._owners), None)
            if gone is not None:
                del self._homes[gone]

    @property
    def _pulls(self) -> Pulls:
        pulls = self._server.parts.pulls()
        assert pulls is not None, "a worker has them"
        return pulls

    def _follow(self, name: StreamName) -> None:
        """Fetch a stream that somebody waits for."""
        seconds = limits.FETCH_SECONDS_MIN
        wish = self._pulls.fetch(_asked(name), name, lambda failure, why: None, seconds)
        if wish is not None:
            self._loop.call_later(seconds, wish.cancel)

    def _taken(self, fields: Fields) -> None:
        """A publisher at another worker takes a name over."""
        name = StreamName(*fields["name"])
        for id in [id for id, claimed in self._claimed.items() if claimed == name]:
            client = self._server.clients.find(id)
            if client is not None:
                client.drop(EndReason.TAKEN_OVER)

    async def _left(self, fields: Fields) -> None:
        """Answer when the files of a stream that was taken over are written."""
        hls = self._server.parts.hls
        if hls is not None:
            await hls.muxers.written(StreamName(*fields["name"]))

    def _client_left(self, client: Client, reason: EndReason) -> None:
        if client.publish:
            self._release(client.id)


def _asked(name: StreamName) -> AccessRequest:
    """Return the request by which this worker fetches a stream of its own accord."""
    return AccessRequest(
        Action.PLAY, IN_PROCESS, "", name.vhost, name.app, name.stream, output="worker-pull", scheme="http"
    )


def _ask(command: Callable[[], object], fields: Fields) -> object:
    return command()
