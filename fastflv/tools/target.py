"""Where `fastflv push` publishes: RTMP, HTTP and WebSocket, plain or over TLS, on a blocking socket.

Spec: RTMP 1.0, 7.2.2; RFC 9112, 7.1 (chunks); RFC 6455.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from abc import ABC, abstractmethod
from typing import Final
from urllib.parse import SplitResult, parse_qs, urljoin

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, RejectConnection, Request
from wsproto.utilities import RemoteProtocolError

from fastflv import limits
from fastflv._ext.syntax.flvtag import make_tag
from fastflv.containers.flv.header import flv_header
from fastflv.containers.flv.reader import FlvTag
from fastflv.errors import PeerError, ToolError
from fastflv.protocols.rtmp.client import ClientSession
from fastflv.protocols.rtmp.clientevents import Failed, Redirected, Started
from fastflv.protocols.rtmp.connectarguments import ConnectArguments
from fastflv.tools.interrupt import Interrupt
from fastflv.tools.source import AGENT, PORTS, SECURE, split_url

ADVICE: Final = {
    400: "the server takes no such FLV there",
    401: "the server asks for a token; put it into the query",
    403: "the server does not let this address or token publish",
    404: "the server has nothing at that path; check it against its mounts or caster",
    405: "nothing is published at that path; give the URL of an .flv mount, or of a caster's port",
    408: "it got no media in time",
    409: "the stream has a publisher; end that one, or take another name",
}


class Moved(Exception):
    """The server named another one."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


class Target(ABC):
    """A publish. `open` first, then `send` and `wait` in turn, `finish` at the end, `close` in any case.

    Each of them raises ToolError with what to do, OSError where the connection is lost, and `open` Moved.
    """

    def __init__(self, url: SplitResult, context: ssl.SSLContext, interrupt: Interrupt) -> None:
        self.url = url
        self.sent = 0
        "Bytes of media."
        self._interrupt = interrupt
        host = url.hostname or ""
        sock = socket.create_connection((host, url.port or PORTS[url.scheme]), limits.TOOL_WAIT_SECONDS)
        self._sock = context.wrap_socket(sock, server_hostname=host) if url.scheme in SECURE else sock
        self._sock.settimeout(limits.TOOL_WAIT_SECONDS)

    @abstractmethod
    def open(self) -> None:
        """Begin the publish."""

    @abstractmethod
    def send(self, tag: FlvTag) -> None:
        """Send one tag."""

    @abstractmethod
    def finish(self) -> None:
        """End the publish; the server has all."""

    @abstractmethod
    def heard(self, data: bytes) -> None:
        """Take what the server sent; b"" where it has closed."""

    def wait(self, seconds: float) -> None:
        """Hear the server for *seconds*."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not self._readable(left):
                return
            self.heard(self._receive())

    def close(self) -> None:
        self._sock.close()

    @property
    def authority(self) -> str:
        """Host and port as they were written, without user and password."""
        return self.url.netloc.rpartition("@")[2]

    @property
    def target(self) -> str:
        """Path and query as they go on the wire."""
        return (self.url.path or "/") + (f"?{self.url.query}" if self.url.query else "")

    def _readable(self, seconds: float) -> bool:
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            return True
        with self._interrupt.waiting():
            return bool(select.select([self._sock], [], [], seconds)[0])

    def _receive(self) -> bytes:
        with self._interrupt.waiting():
            return self._sock.recv(limits.RECEIVE_BYTES)

    def _send(self, data: bytes) -> None:
        # Never cut short by Ctrl-C: what follows would be read as the rest of it.
        self.sent += len(data)
        self._sock.sendall(data)


class HttpTarget(Target):
    """FLV in the chunks of a POST. The body waits for `100 Continue`, where the server knows it."""

    _answer = b""

    def open(self) -> None:
        lines = (
            f"POST {self.target} HTTP/1.1", f"Host: {self.authority}", f"User-Agent: {AGENT}", "Content-Type: video/x-flv",
            "Transfer-Encoding: chunked", "Expect: 100-continue", "", "",
        )  # fmt: skip
        self._sock.sendall("\r\n".join(lines).encode())
        until = time.monotonic() + limits.TOOL_CONTINUE_SECONDS
        while (left := until - time.monotonic()) > 0 and self._readable(left):
            status = self._read(self._receive())
            if status == 100:
                break
            if status:
                self._refuse(status)
        self._chunk(flv_header(audio=True, video=True))

    def send(self, tag: FlvTag) -> None:
        self._chunk(make_tag(tag.kind, tag.time_ms & 0xFFFFFFFF, tag.body))

    def heard(self, data: bytes) -> None:
        status = self._read(data)
        if status > 199:
            self._refuse(status)

    def finish(self) -> None:
        self._sock.sendall(b"0\r\n\r\n")
        while True:
            status = self._read(self._receive())
            if status == 200:
                return
            if status > 199:
                self._refuse(status)

    def _chunk(self, data: bytes) -> None:
        self._send(b"%x\r\n%b\r\n" % (len(data), data))

    def _read(self, data: bytes) -> int:
        """Take bytes of an answer; return the status of a head that is whole, else 0."""
        if not data:
            raise ConnectionResetError("closed by the server")
        self._answer += data
        if len(self._answer) > limits.HTTP_HEAD_BYTES_MAX:
            raise ToolError("the answer of the server is too long; is that its port for HTTP?")
        if b"\r\n\r\n" not in self._answer:
            return 0
        words = self._answer.split(b" ", 2)
        if not words[0].startswith(b"HTTP/1.") or len(words) < 2 or not words[1].isdigit():
            raise ToolError("the server does not speak HTTP; is that its port for HTTP?")
        status = int(words[1])
        if status < 200:
            self._answer = self._answer.partition(b"\r\n\r\n")[2]
        return status

    def _refuse(self, status: int) -> None:
        """Raise for a final answer that is none of success."""
        head, _, body = self._answer.partition(b"\r\n\r\n")
        fields = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
        }
        if 300 < status < 400 and "location" in fields:
            raise Moved(urljoin(self.url.geturl(), fields["location"]))
        said = body.decode("utf-8", "replace").strip().partition("\n")[0]
        advice = ADVICE.get(status, "look into the log of the server")
        raise ToolError(f"the server answers {status}{f' ({said})' if said else ''}: {advice}")


class WebSocketTarget(Target):
    """FLV in binary messages. On a mount `publish` in the query says that the socket is no player."""

    def open(self) -> None:
        self._ws = WSConnection(ConnectionType.CLIENT)
        self._accepted = self._closed = False
        target = self.target
        if "publish" not in parse_qs(self.url.query, keep_blank_values=True):
            target += f"{'&' if self.url.query else '?'}publish"
        self._sock.sendall(self._ws.send(Request(host=self.authority, target=target)))
        while not self._accepted:
            self.heard(self._receive())
        self._send(self._ws.send(BytesMessage(flv_header(audio=True, video=True))))

    def send(self, tag: FlvTag) -> None:
        self._send(self._ws.send(BytesMessage(make_tag(tag.kind, tag.time_ms & 0xFFFFFFFF, tag.body))))

    def heard(self, data: bytes) -> None:
        if not data:
            raise ConnectionResetError("closed by the server")
        try:
            self._ws.receive_data(data)
            happened = list(self._ws.events())
        except RemoteProtocolError as error:
            raise ToolError(f"the server breaks the WebSocket protocol: {error}") from error
        for event in happened:
            if isinstance(event, AcceptConnection):
                self._accepted = True
            elif isinstance(event, RejectConnection):
                status = event.status_code
                raise ToolError(
                    f"the server answers {status} to the handshake: {ADVICE.get(status, 'look into the log of the server')}"
                )
            elif isinstance(event, Ping):
                self._sock.sendall(self._ws.send(event.response()))
            elif isinstance(event, CloseConnection):
                if event.code != 1000:
                    raise ToolError(f"the server closes with {event.code}: {event.reason or 'no reason'}")
                self._closed = True

    def finish(self) -> None:
        self._sock.sendall(self._ws.send(CloseConnection(1000)))
        while not self._closed:
            self.heard(self._receive())


class RtmpTarget(Target):
    """Messages of a publish."""

    def open(self) -> None:
        app, _, name = self.url.path.strip("/").rpartition("/")
        if not app or not name:
            raise ToolError("an RTMP URL is rtmp://HOST/APP/STREAM")
        base = f"{self.url.scheme}://{self.authority}/{app}"
        self._stream_id = 0
        self._session = ClientSession(
            ConnectArguments(tc_url=base, app=app, flash_ver=AGENT), noise=os.urandom
        )
        self._session.publish(name + (f"?{self.url.query}" if self.url.query else ""))
        self._sock.sendall(self._session.take_output())
        while not self._stream_id:
            self.heard(self._receive())

    def send(self, tag: FlvTag) -> None:
        self._send(self._session.write_media(self._stream_id, tag.kind, tag.time_ms, tag.body))

    def heard(self, data: bytes) -> None:
        if not data:
            raise ConnectionResetError("closed by the server")
        session = self._session
        session.now = time.monotonic()
        try:
            happened = session.receive(data)
        except PeerError as error:
            raise ToolError(f"the server breaks the RTMP protocol: {error}") from error
        for event in happened:
            if isinstance(event, Started):
                self._stream_id = event.stream_id
            elif isinstance(event, Redirected):
                raise Moved(event.url)
            elif isinstance(event, Failed):
                raise ToolError(
                    f"the server refuses: {event.code}, {event.description}; check application, name and token"
                )
        output = session.take_output()
        if output:
            self._sock.sendall(output)

    def finish(self) -> None:
        self._session.delete(self._stream_id)
        self._sock.sendall(self._session.take_output())
        self._sock.shutdown(socket.SHUT_WR)
        # A reset would take what the server has not read yet.
        while self._readable(limits.TOOL_WAIT_SECONDS) and self._receive():
            pass


TARGETS: Final[dict[str, type[Target]]] = {
    "http": HttpTarget, "https": HttpTarget, "ws": WebSocketTarget, "wss": WebSocketTarget, "rtmp": RtmpTarget, "rtmps": RtmpTarget,
}  # fmt: skip


def open_target(url: str, context: ssl.SSLContext, interrupt: Interrupt) -> Target:
    """Connect, and begin the publish; redirects are followed. Raises as a target does."""
    for _ in range(limits.PROBE_REDIRECTS_MAX):
        parts = split_url(url)
        target = TARGETS[parts.scheme](parts, context, interrupt)
        try:
            target.open()
        except Moved as moved:
            target.close()
            url = moved.url
        except BaseException:
            target.close()
            raise
        else:
            return target
    raise ToolError(f"more than {limits.PROBE_REDIRECTS_MAX} redirects; look for a circle of servers")
