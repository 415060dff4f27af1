"""A server in this process with every output, and a rule that answers by the name of the stream."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import uvloop
from flvread import AUDIO, SCRIPT, VIDEO, Tag
from publisher import AVC, METADATA, Publisher, headers, picture, sound
from server import HOST, until
from tlsfiles import Pair, make_pair

from fastflv.access.request import AccessRequest, Action
from fastflv.access.rule import Answer, LateRule, Waiting
from fastflv.access.verdict import ALLOW, Redirected, Refusal, Refused, Verdict
from fastflv.config.load import load_text
from fastflv.control.server import Server

NAMES = ("RTMP", "RTMPS", "HTTP", "HTTPS")
CASES = ("allowed", "refused", "unauthorized", "late", "gone", "redirect")
LATE = 2.0
"How long the answer of the case `late` takes, seconds."

NOW = "?now"
"Query of a request that is allowed at once, whatever its stream is called."

ELSEWHERE = "elsewhere.example/live/other"
"Where the case `redirect` sends a client, behind its scheme."

TEXT = """\
listen 127.0.0.1:{RTMP};
rtmps {{ enabled on; listen 127.0.0.1:{RTMPS}; cert {pair.cert}; key {pair.key}; }}
max_connections 1000;
daemon off;
http_api {{ enabled off; }}
http_server {{
    enabled on; listen 127.0.0.1:{HTTP};
    https {{ enabled on; listen 127.0.0.1:{HTTPS}; cert {pair.cert}; key {pair.key}; }}
}}
vhost __defaultVhost__ {{
    play {{ start gop; mw_latency 0; on_missing 20; }}
    publish {{ grace 0; }}
    hls {{ enabled on; hls_fragment 1; hls_window 6; }}
    http_remux {{
        enabled on;
        mount [vhost]/[app]/[stream].flv [vhost]/[app]/[stream].ts [vhost]/[app]/[stream].aac [vhost]/[app]/[stream].mp3;
    }}
}}
"""
T = TypeVar("T")


@dataclass(eq=False)
class Asked:
    """One question of the gate, and what became of it."""

    request: AccessRequest
    answer: Answer
    state: str = "waiting"
    "Or answered, or cancelled."

    timers: list[asyncio.TimerHandle] = field(default_factory=list)

    def allow(self) -> None:
        """Answer late."""
        self.state = "answered"
        self.answer(ALLOW)

    def cancel(self) -> None:
        """Called by the gate: the peer is gone."""
        assert self.state == "waiting", f"cancelled when {self.state}"
        self.state = "cancelled"
        for timer in self.timers:
            timer.cancel()


class ByName(LateRule):
    """Judges a stream CASE-ACTION-... by its case when ACTION is what is asked for; allows all others at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.asked: list[Asked] = []

    def ask(self, request: AccessRequest, answer: Answer) -> Verdict | Waiting:
        case, _, rest = request.stream.partition("-")
        if request.action.value != rest.partition("-")[0] or request.param == NOW:
            return ALLOW
        asked = Asked(request, answer)
        self.asked.append(asked)
        if case in ("late", "gone"):
            if case == "late":
                asked.timers.append(self._loop.call_later(LATE, asked.allow))
            return asked
        asked.state = "answered"
        if case == "allowed":
            return ALLOW
        if case == "redirect":
            return Redirected(f"{request.scheme}://{ELSEWHERE}")
        return Refused(Refusal(case.replace("refused", "forbidden")), why(case))

    def of(self, stream: str, output: str = "", scheme: str = "") -> list[Asked]:
        """Questions about *stream*, oldest first; of one kind of client where that is given."""
        return [
            asked
            for asked in list(self.asked)
            if asked.request.stream == stream
            and output in ("", asked.request.output)
            and scheme in ("", asked.request.scheme)
        ]


def why(case: str) -> str:
    """The reason that the rule gives."""
    return f"the test says {case}"


class GateSite:
    """A running server, its ports and its rule. All of the server is touched in its own thread: use `ask`."""

    server: Server
    rule: ByName

    def __init__(self, pair: Pair, receive_bytes: int = 0) -> None:
        """*receive_bytes*: bound of the receive buffers of connections; 0: as the system has them."""
        self._loop = uvloop.new_event_loop()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        sockets = [listening(receive_bytes) for _ in NAMES] if receive_bytes else []
        ports = [sock.getsockname()[1] for sock in sockets] or [0] * len(NAMES)
        text = TEXT.format(pair=pair, **dict(zip(NAMES, ports, strict=True)))
        self._thread = threading.Thread(target=self._run, args=(text, sockets), daemon=True)
        self._thread.start()
        assert self._ready.wait(30), "the server does not start"
        if self._failure is not None:
            raise self._failure
        ports = self.ask(lambda: [self.server.listeners.ports(name)[0] for name in NAMES])
        self.rtmp, self.rtmps, self.http, self.https = ports

    def _run(self, text: str, sockets: list[socket.socket]) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self.server = Server(load_text(text), self._loop)
            self.rule = ByName(self._loop)
            self._loop.run_until_complete(self.server.start(sockets))
        except BaseException as error:
            self._failure = error
            return
        finally:
            self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self.server.stop())
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        assert not self._thread.is_alive(), "the server does not stop"

    def ask(self, question: Callable[[], T]) -> T:
        """Call *question* in the thread of the server."""

        async def answer() -> T:
            return question()

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result(20)

    # --- what the server holds ---

    @property
    def taken(self) -> int:
        """Places of the connection limit that are in use."""
        return self.ask(lambda: self.server.connection_limit.taken)

    def entries(self, stream: str, *, publish: bool) -> list[str]:
        """Ids of the publishers or players of *stream* that the server lists."""
        action = Action.PUBLISH if publish else Action.PLAY

        def found() -> list[str]:
            requests = [client.request for client in self.server.clients]
            return [each.client_id for each in requests if (each.stream, each.action) == (stream, action)]

        return self.ask(found)

    def wait_taken(self, count: int, what: str) -> None:
        """Wait until just *count* places are in use."""
        until(lambda: self.taken == count, f"{what}: {count} connections", 10)


def listening(receive_bytes: int) -> socket.socket:
    """A socket whose connections buffer no more than this."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.bind((HOST, 0))
    sock.listen()
    return sock


# MPEG-1 layer III, 128 kbit/s, 44.1 kHz: a frame of 417 bytes.
MP3 = bytes.fromhex("2ffffb9000") + bytes(413)


class Feed(threading.Thread):
    """Publishes streams of hand-made media, ten pictures a second, each second two keyframes."""

    def __init__(self, site: GateSite, names: dict[str, str]) -> None:
        """*names*: stream names, each with `aac` or `mp3`."""
        super().__init__(daemon=True)
        self._names = names
        self._over = threading.Event()
        self.failure: BaseException | None = None
        self._publisher = Publisher(site.rtmp).connect()
        for name, codec in names.items():
            self._publisher.begin(name)
            self._publisher.tags(
                headers() if codec == "aac" else [Tag(SCRIPT, 0, METADATA), Tag(VIDEO, 0, AVC)]
            )
        self.start()

    def run(self) -> None:
        began, number = time.monotonic(), 0
        try:
            while not self._over.wait(max(0.0, began + number / 10 - time.monotonic())):
                for name, codec in self._names.items():
                    stream = self._publisher.streams[name]
                    self._publisher.tag(
                        VIDEO, 100 * number, picture(number, key=number % 5 == 0), stream=stream
                    )
                    body = sound(number) if codec == "aac" else MP3
                    self._publisher.tag(AUDIO, 100 * number + 10, body, stream=stream)
                number += 1
        except OSError as error:
            self.failure = error

    def stop(self) -> None:
        self._over.set()
        self.join(10)
        self._publisher.close()
        assert self.failure is None, f"a publisher lost its connection: {self.failure}"


@contextmanager
def gate_site(folder: Path, receive_bytes: int = 0) -> Iterator[GateSite]:
    """A server whose streams CASE-play-aac and CASE-play-mp3 are published, and whose gate asks the rule."""
    site = GateSite(make_pair(folder), receive_bytes)
    feeds = []
    try:
        for codec in ("aac", "mp3"):
            feeds.append(Feed(site, {f"{case}-play-{codec}": codec for case in CASES}))
        site.ask(lambda: site.server.gate.rules.append(site.rule))
        yield site
        for feed in feeds:
            feed.stop()
        site.wait_taken(0, "after all clients have left")
    finally:
        site.stop()
