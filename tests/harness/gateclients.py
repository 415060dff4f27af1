"""One client of each output and input: it asks, tells what it is answered, and leaves."""

from __future__ import annotations

import ssl
import time
from abc import ABC, abstractmethod
from typing import Any, ClassVar
from urllib.parse import urljoin, urlsplit

from flvread import flv_file
from gatesite import ELSEWHERE, GateSite, why
from player import Player
from publisher import Publisher, film, headers
from rtmpplayer import RtmpPlayer
from server import HOST
from tlsfiles import trusting
from wsclient import WebSocket

from fastflv.protocols.rtmp.clientevents import ClientEvent, Failed, Redirected, Started

MEDIA = [*headers(), *film(50)]
"What publishers send."


class Client(ABC):
    """One client of a stream named by the case. `see` returns the first words of its cell in the table."""

    output: ClassVar[str]
    "As rules see it, without an ending that depends on the row."

    publish: ClassVar[bool] = False

    def __init__(self, site: GateSite, case: str, name: str, scheme: str) -> None:
        self.site = site
        self.case = case
        self.name = name
        self.scheme = scheme
        secure = scheme in ("https", "wss", "rtmps")
        self.tls = trusting() if secure else None
        self.heard = 0.0
        "Monotonic clock of the answer, seconds."
        web = scheme not in ("rtmp", "rtmps")
        self.port = (site.https if secure else site.http) if web else (site.rtmps if secure else site.rtmp)

    @abstractmethod
    def see(self) -> str:
        """Read the answer, and media where it brings some."""

    def end(self) -> None:
        """Leave a stream as clients do."""
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Close the connection without a word."""

    def _heard(self) -> None:
        self.heard = self.heard or time.monotonic()


# --- players over HTTP -----------------------------------------------------------------------


def refusal(player: Player, case: str, scheme: str) -> str:
    """Check an answer that brings no media."""
    text = player.text().strip()
    if player.status == 302:
        assert player.headers["location"] == f"{scheme}://{ELSEWHERE}"
        return "302 Location"
    # The stream, and what the rule said.
    assert text.startswith("/live/") and text.endswith(f": {why(case)}"), text
    if player.status == 401:
        assert "www-authenticate" in player.headers
    return f"{player.status} body"


class Viewing(Client):
    """Any player."""

    @abstractmethod
    def first(self) -> None:
        """Read the first byte of the stream, or of its playlist."""


class HttpPlayer(Viewing):
    """A mount of any container."""

    output = "-play"

    def __init__(self, site: GateSite, case: str, scheme: str, ending: str, query: str = "") -> None:
        super().__init__(site, case, f"{case}-play-{'mp3' if ending == 'mp3' else 'aac'}", scheme)
        self.ending = ending
        self.player = Player(
            self.port, f"/live/{self.name}.{ending}{query}", tls=self.tls, flv=ending == "flv"
        )

    def see(self) -> str:
        self.player.head()
        self._heard()
        if self.player.status != 200:
            return refusal(self.player, self.case, self.scheme)
        if self.ending == "flv":
            self.player.frames(2)
            return "200 media"
        self.player.until(lambda player: len(player.body) >= 188 * 20)
        body = bytes(self.player.body)
        if self.ending == "ts":
            assert set(body[: len(body) // 188 * 188 : 188]) == {0x47}
        else:
            # The sync word of an ADTS header (layer 0), or of layer III.
            assert body[0] == 0xFF and body[1] & 0xF6 == (0xF0 if self.ending == "aac" else 0xF2)
        return "200 media"

    def first(self) -> None:
        self.player.until(lambda player: len(player.body) > 0)

    def close(self) -> None:
        self.player.close()


class HlsPlayer(Viewing):
    """A playlist, the playlist of the session behind it, and a segment."""

    output = "hls-play"

    def __init__(self, site: GateSite, case: str, scheme: str, query: str = "") -> None:
        super().__init__(site, case, f"{case}-play-aac", scheme)
        self.path = f"/live/{self.name}.m3u8{query}"
        self.player = self._get(self.path)

    def _get(self, path: str) -> Player:
        return Player(self.port, path, tls=self.tls, flv=False, headers=("Connection: close",))

    def see(self) -> str:
        self.player.head()
        self._heard()
        if self.player.status != 200:
            return refusal(self.player, self.case, self.scheme)
        for _ in range(2):
            text = self.player.text()
            assert text.startswith("#EXTM3U"), text
            self._follow(next(line for line in text.splitlines() if line and not line.startswith("#")))
        assert self.player.headers["content-type"] == "video/MP2T"
        self.player.until(lambda player: len(player.body) >= 188)
        assert self.player.body[0] == 0x47
        return "200 media"

    def first(self) -> None:
        assert "#EXTM3U" in self.player.text()

    def _follow(self, uri: str) -> None:
        self.player.close()
        parts = urlsplit(urljoin(f"http://{HOST}{self.path}", uri))
        self.path = parts.path
        self.player = self._get(f"{parts.path}?{parts.query}").head()
        assert self.player.status == 200, self.player.text()

    def close(self) -> None:
        self.player.close()


class WebSocketPlayer(Viewing):
    """A WebSocket on the FLV mount."""

    output = "flv-play"

    def __init__(self, site: GateSite, case: str, scheme: str, query: str = "") -> None:
        super().__init__(site, case, f"{case}-play-aac", scheme)
        self.socket = WebSocket(self.port, f"/live/{self.name}.flv{query}", tls=self.tls)

    def see(self) -> str:
        socket = self.socket.head()
        self._heard()
        if socket.status == 302:
            assert socket.headers["location"] == f"{self.scheme}://{ELSEWHERE}" and socket.text()
            return "302 Location"
        assert socket.status == 101
        socket.until(lambda me: me.count() >= 2 or me.code > 0)
        if not socket.code:
            return "101 media"
        assert socket.reason == why(self.case) and not socket.messages
        socket.rest()
        return f"101 close {socket.code}"

    def first(self) -> None:
        self.socket.until(lambda me: len(me.messages) > 0)

    def close(self) -> None:
        self.socket.sock.close()


# --- RTMP ------------------------------------------------------------------------------------


class RtmpViewer(Viewing):
    """A play over RTMP."""

    output = "rtmp-play"

    def __init__(self, site: GateSite, case: str, scheme: str, query: str = "") -> None:
        super().__init__(site, case, f"{case}-play-aac", scheme)
        self.player = RtmpPlayer(self.port, tls=self.tls).open(self.name + query)

    def see(self) -> str:
        info: dict[str, Any] = self.player.wait("onStatus", 0)[3]
        self._heard()
        if info["level"] != "error":
            self.player.frames(2)
            return "onStatus media"
        self.player.rest()
        assert not self.player.tags
        if "ex" in info:
            assert info["ex"]["redirect2"] == f"{self.scheme}://{ELSEWHERE}"
            return "onStatus error 302"
        assert info["description"] == why(self.case)
        return f"onStatus error {info['code'].removeprefix('NetStream.')}"

    def first(self) -> None:
        self.player.until(lambda me: len(me.tags) > 0)

    def close(self) -> None:
        self.player.close()


class Publishing(Client):
    """Any publisher: its stream is watched by a player that the rule allows."""

    publish = True
    viewer: Player | None = None

    def watch(self) -> None:
        """Read what was published back."""
        self.viewer = Player(self.site.http, f"/live/{self.name}.flv")
        self.viewer.frames(2)

    def close(self) -> None:
        if self.viewer is not None:
            self.viewer.close()


class RtmpPublisher(Publishing):
    """A publish over RTMP."""

    output = "fmle-publish"

    def __init__(self, site: GateSite, case: str, scheme: str) -> None:
        super().__init__(site, case, f"{case}-publish-{scheme}", scheme)
        self.publisher = ask_publish(self.port, self.name, self.tls)

    def see(self) -> str:
        answer = self._answer()
        self._heard()
        if isinstance(answer, Started):
            self.publisher.stream = self.publisher.streams[self.name] = answer.stream_id
            self.publisher.tags(MEDIA)
            self.watch()
            return "onStatus media"
        assert self.publisher.closed()
        if isinstance(answer, Redirected):
            assert answer.url == f"{self.scheme}://{ELSEWHERE}"
            return "onStatus error 302"
        # The client session calls nothing but a status of level error so.
        assert isinstance(answer, Failed) and answer.description == why(self.case)
        return f"onStatus error {answer.code.removeprefix('NetStream.')}"

    def _answer(self) -> ClientEvent:
        while True:
            data = self.publisher.sock.recv(65536)
            assert data, "closed without an answer"
            for event in self.publisher.session.receive(data):
                if isinstance(event, Started | Failed | Redirected):
                    return event

    def end(self) -> None:
        self.publisher.finish()
        self.close()

    def close(self) -> None:
        super().close()
        self.publisher.close()


def ask_publish(port: int, name: str, tls: ssl.SSLContext | None = None) -> Publisher:
    """Send the command `publish`, and do not wait for its answer."""
    publisher = Publisher(port, tls=tls).connect()
    session = publisher.session
    session.publish(name)
    output = session.take_output()
    publisher.raw(output)
    while b"\0\7publish" not in output:
        session.receive(publisher.sock.recv(65536))
        output = session.take_output()
        publisher.raw(output)
    return publisher


# --- the body of a request -------------------------------------------------------------------


class HttpPublisher(Publishing):
    """A POST with a chunked body."""

    output = "flv-publish"

    def __init__(self, site: GateSite, case: str, scheme: str) -> None:
        super().__init__(site, case, f"{case}-publish-{scheme}", scheme)
        self.player = ask_push(self.port, self.name, self.tls)
        self._send(flv_file(MEDIA))

    def _send(self, data: bytes) -> None:
        self.player.sock.sendall(chunk(data))

    def see(self) -> str:
        if self.case in ("allowed", "late"):
            # Nothing answers before the end of the body.
            self.watch()
            self._heard()
            return "media"
        self.player.head()
        self._heard()
        said = refusal(self.player, self.case, self.scheme)
        assert self.player.headers["connection"] == "close"
        return said

    def end(self) -> None:
        self._send(b"")
        assert self.player.text().strip() == "published" and self.player.status == 200
        self.close()

    def close(self) -> None:
        super().close()
        self.player.close()


def ask_push(port: int, name: str, tls: ssl.SSLContext | None = None) -> Player:
    """Send the head of a POST."""
    fields = ("Transfer-Encoding: chunked", "Content-Type: video/x-flv")
    return Player(port, f"/live/{name}.flv", method="POST", headers=fields, tls=tls, flv=False)


def chunk(data: bytes) -> bytes:
    """One chunk of a body; the last one for no data."""
    return b"%x\r\n%b\r\n" % (len(data), data)
