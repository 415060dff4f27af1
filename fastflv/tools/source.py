"""Sources of tags for the commands: HTTP-FLV, WebSocket-FLV and RTMP, plain or over TLS, on a blocking socket.

Spec: Adobe FLV v10.1, E.2 to E.4; RFC 6455; RTMP 1.0, 7.2.2.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from urllib.parse import SplitResult, urljoin, urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    RejectConnection,
    Request,
)
from wsproto.utilities import RemoteProtocolError

from fastflv import __version__, limits
from fastflv._ext.ingest.sink import CollectSink
from fastflv.config.masking import masked
from fastflv.containers.flv.reader import FlvReader, FlvTag
from fastflv.errors import FlvHeaderError, PeerError, ToolError
from fastflv.media.codecs import SCRIPT
from fastflv.protocols.rtmp.client import ClientSession
from fastflv.protocols.rtmp.clientevents import ClientEvent, Ended, Failed, Redirected
from fastflv.protocols.rtmp.connectarguments import ConnectArguments
from fastflv.protocols.rtmp.states import ClientState
from fastflv.tools.interrupt import Interrupt

PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "rtmp": 1935, "rtmps": 443}
SECURE = ("https", "wss", "rtmps")
AGENT = f"fastflv/{__version__}"


def read_flv(reader: FlvReader, data: bytes) -> list[FlvTag]:
    """Return the tags that *data* completes. Raises ToolError where it is no FLV."""
    try:
        return reader.feed(data)
    except FlvHeaderError as error:
        raise ToolError("the answer is no FLV; ask for a URL that ends with .flv") from error
    except PeerError as error:
        raise ToolError(f"the server breaks FLV: {error}") from error


class Source(ABC):
    """A stream that is being read. `tags` yields lists of tags as they arrive, until *deadline* or its end."""

    def __init__(self, url: SplitResult, context: ssl.SSLContext, timeout: float) -> None:
        self.url = url
        self.context = context
        self.flags = -1
        "Of the FLV header; -1 where there is none."
        self.received = 0
        "Bytes of the body."
        self.deadline = time.monotonic() + timeout
        "Monotonic clock at which it ends, seconds; may be moved."
        self.cut = False
        "The connection was lost before its server had ended the stream."
        self.interrupt = Interrupt()
        "What may end a wait for the peer."

    @abstractmethod
    def tags(self) -> Iterator[list[FlvTag]]:
        """Connect and read. Raises ToolError with what to do."""

    @property
    def left(self) -> float:
        return max(self.deadline - time.monotonic(), 0.001)

    @property
    def port(self) -> int:
        return self.url.port or PORTS[self.url.scheme]

    @property
    def authority(self) -> str:
        """Host and port as they were written, without user and password."""
        return self.url.netloc.rpartition("@")[2]

    @property
    def target(self) -> str:
        """Path and query as they go on the wire."""
        return (self.url.path or "/") + (f"?{self.url.query}" if self.url.query else "")

    def dial(self) -> socket.socket:
        host = self.url.hostname or ""
        sock = socket.create_connection((host, self.port), self.left)
        return self.context.wrap_socket(sock, server_hostname=host) if self.url.scheme in SECURE else sock

    def receive(self, sock: socket.socket) -> bytes:
        """Return what comes next, b"" at the end or at the deadline."""
        if time.monotonic() >= self.deadline:
            return b""
        sock.settimeout(self.left)
        try:
            with self.interrupt.waiting():
                return sock.recv(limits.RECEIVE_BYTES)
        except TimeoutError:
            return b""


class HttpSource(Source):
    """FLV as the body of a response; redirects are followed."""

    def tags(self) -> Iterator[list[FlvTag]]:
        for _ in range(limits.PROBE_REDIRECTS_MAX):
            connection = self._connection()
            try:
                connection.request("GET", self.target, headers={"User-Agent": AGENT})
                answer = connection.getresponse()
                moved = answer.getheader("Location") if 300 < answer.status < 400 else None
                if moved:
                    self.url = split_url(urljoin(self.url.geturl(), moved))
                    continue
                if answer.status != 200:
                    raise refused(answer.status, answer.read(300))
                yield from self._read(connection, answer)
                return
            except http.client.InvalidURL as error:
                raise ToolError(
                    f"cannot ask for {masked(self.url.geturl())}: spaces and controls are written as %20 and the like"
                ) from error
            except http.client.RemoteDisconnected:
                # A lost connection, as any other.
                raise
            except http.client.HTTPException as error:
                raise ToolError(
                    f"the server breaks HTTP: {error!r}; is {self.port} its port for HTTP?"
                ) from error
            finally:
                connection.close()
        raise ToolError(f"more than {limits.PROBE_REDIRECTS_MAX} redirects; look for a circle of servers")

    def _connection(self) -> http.client.HTTPConnection:
        host = self.url.hostname or ""
        if self.url.scheme == "https":
            return http.client.HTTPSConnection(host, self.port, timeout=self.left, context=self.context)
        return http.client.HTTPConnection(host, self.port, timeout=self.left)

    def _read(
        self, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse
    ) -> Iterator[list[FlvTag]]:
        flv = FlvReader()
        while time.monotonic() < self.deadline:
            # Without a length the connection belongs to the answer.
            if connection.sock is not None:
                connection.sock.settimeout(self.left)
            try:
                with self.interrupt.waiting():
                    data = answer.read1(limits.RECEIVE_BYTES)
            except TimeoutError:
                return
            except http.client.IncompleteRead:
                # What came is told of.
                self.cut = True
                return
            if not data:
                return
            self.received += len(data)
            found = read_flv(flv, data)
            self.flags = flv.flags
            yield found


class WebSocketSource(Source):
    """FLV in binary messages."""

    def tags(self) -> Iterator[list[FlvTag]]:
        flv = FlvReader()
        ws = WSConnection(ConnectionType.CLIENT)
        with self.dial() as sock:
            sock.sendall(ws.send(Request(host=self.authority, target=self.target)))
            accepted = False
            while data := self.receive(sock):
                try:
                    ws.receive_data(data)
                    happened = list(ws.events())
                except RemoteProtocolError as error:
                    raise ToolError(f"the server breaks the WebSocket protocol: {error}") from error
                for event in happened:
                    if isinstance(event, AcceptConnection):
                        accepted = True
                    elif isinstance(event, RejectConnection):
                        raise not_upgraded(event.status_code)
                    elif isinstance(event, Ping):
                        sock.sendall(ws.send(event.response()))
                    elif isinstance(event, CloseConnection):
                        return
                    elif isinstance(event, BytesMessage):
                        self.received += len(event.data)
                        found = read_flv(flv, bytes(event.data))
                        self.flags = flv.flags
                        yield found
            self.cut = accepted and time.monotonic() < self.deadline
            if not accepted:
                raise ToolError("no answer to the WebSocket handshake; try the same URL with http")


class RtmpSource(Source):
    """Messages of a play; redirects are followed."""

    _ended = False

    def tags(self) -> Iterator[list[FlvTag]]:
        for _ in range(limits.PROBE_REDIRECTS_MAX):
            try:
                with self.dial() as sock:
                    yield from self._play(sock)
                return
            except _Moved as moved:
                self.url = split_url(moved.url)
            except PeerError as error:
                raise ToolError(f"the server breaks the RTMP protocol: {error}") from error
        raise ToolError(f"more than {limits.PROBE_REDIRECTS_MAX} redirects; look for a circle of servers")

    def _play(self, sock: socket.socket) -> Iterator[list[FlvTag]]:
        app, _, name = self.url.path.strip("/").rpartition("/")
        if not app or not name:
            raise ToolError("an RTMP URL is rtmp://HOST/APP/STREAM")
        base = f"{self.url.scheme}://{self.authority}/{app}"
        arguments = ConnectArguments(tc_url=base, app=app, flash_ver=AGENT)
        session = ClientSession(arguments, noise=os.urandom)
        media = CollectSink()
        # Script data takes its place among the media.
        session.on_data = lambda data: media.messages.append((SCRIPT, data.timestamp, data.payload))
        session.play(name + (f"?{self.url.query}" if self.url.query else ""), media)
        sock.sendall(session.take_output())
        while data := self.receive(sock):
            session.now = time.monotonic()
            for event in session.receive(data):
                self._look(event)
            sock.sendall(session.take_output())
            if media.messages:
                found = [FlvTag(*message) for message in media.messages]
                media.messages.clear()
                self.received += sum(len(tag.body) for tag in found)
                yield found
        self.cut = not self._ended and time.monotonic() < self.deadline
        if session.state is ClientState.GREETING:
            raise ToolError(f"no RTMP handshake on port {self.port}; is that the port of `listen`?")

    def _look(self, event: ClientEvent) -> None:
        if isinstance(event, Ended):
            self._ended = True
        if isinstance(event, Redirected):
            raise _Moved(event.url)
        if isinstance(event, Failed):
            raise ToolError(
                f"the server refuses: {event.code}, {event.description}; publish the stream first, or check "
                "application and name in the URL"
            )


class _Moved(Exception):
    """The server named another one."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


SOURCES: dict[str, type[Source]] = {
    "http": HttpSource,
    "https": HttpSource,
    "ws": WebSocketSource,
    "wss": WebSocketSource,
    "rtmp": RtmpSource,
    "rtmps": RtmpSource,
}


def split_url(url: str) -> SplitResult:
    """Take a URL apart. Raises ToolError for one that cannot be read."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in SOURCES and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise ToolError(
            f"cannot read {masked(url)}: give an http, https, ws, wss, rtmp or rtmps URL of a live stream"
        )
    return parts


def open_source(url: str, *, timeout: float, verify: bool = True) -> Source:
    """Return the source for *url*; nothing is connected yet. *timeout*: seconds until media must have come."""
    parts = split_url(url)
    return SOURCES[parts.scheme](parts, tls_context(verify=verify), timeout)


def tls_context(*, verify: bool) -> ssl.SSLContext:
    """Return what a client speaks TLS with; *verify* off: it takes any certificate."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def connection_fault(error: OSError, authority: str, wait: float) -> ToolError:
    """What to do about a connection to *authority* that failed; *wait*: the time that it had, seconds."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ToolError(f"the certificate is not trusted: {error.verify_message}; --insecure does without")
    if isinstance(error, TimeoutError):
        return ToolError(f"no answer from {authority} within {wait:g} s; does anybody publish the stream?")
    return ToolError(
        f"no connection to {authority}: {str(error.strerror or error).lower()}; is the server running, and is that its port?"
    )


def not_upgraded(status: int) -> ToolError:
    """What to do about an answer to a WebSocket handshake that is not 101."""
    if status < 300 or status in (400, 426):
        return ToolError(
            f"the answer to the WebSocket handshake is {status}: a proxy in between dropped the Upgrade field; in nginx set"
            ' proxy_http_version 1.1, proxy_set_header Upgrade $http_upgrade and proxy_set_header Connection "upgrade"'
        )
    return refused(status, b"")


def refused(status: int, body: bytes) -> ToolError:
    """What to do about an HTTP status."""
    advice = {
        401: "the server asks for a password, and none is sent",
        403: "the server does not let this address or token play",
        404: "nobody publishes it; publish it first, or check the path against the mounts of http_remux",
        406: "ask for another container or track",
    }.get(status, "look into the log of the server")
    said = body.decode("utf-8", "replace").strip().partition("\n")[0]
    return ToolError(f"the server answers {status}{f' ({said})' if said else ''}: {advice}")
