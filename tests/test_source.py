"""The RTMP source of a probe against a server made of the server session: redirects, refusals, and no RTMP at all."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from fastflv._ext.ingest.chunkwrite import write_message
from fastflv.containers.flv.reader import FlvTag
from fastflv.errors import ToolError
from fastflv.media.amf import amf0
from fastflv.media.codecs import SCRIPT, VIDEO
from fastflv.protocols.rtmp.events import ConnectWanted, PlayWanted
from fastflv.protocols.rtmp.server import ServerSession
from fastflv.tools.source import open_source

METADATA = amf0.encode("onMetaData", {"width": 1.0})


class Origin(threading.Thread):
    """Serves one connection after the other; what happens to a play is in its stream's name."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.base = f"rtmp://127.0.0.1:{self.listener.getsockname()[1]}/live"
        self.plays: list[str] = []
        self.start()

    def run(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with sock:
                self.serve(sock)

    def serve(self, sock: socket.socket) -> None:
        session, over = ServerSession(noise=os.urandom), False
        while not over and (data := sock.recv(65536)):
            events = session.receive(data)
            while events:
                for event in events:
                    if isinstance(event, ConnectWanted):
                        session.accept_connect()
                    elif isinstance(event, PlayWanted):
                        self.play(session, sock, event)
                        over = True
                events = session.resume()
            sock.sendall(session.take_output())

    def play(self, session: ServerSession, sock: socket.socket, event: PlayWanted) -> None:
        self.plays.append(event.stream + event.param)
        if event.stream == "circle":
            session.redirect(1, f"{self.base}/circle")
        elif event.stream == "moved":
            session.redirect(1, f"{self.base}/room?token=t")
        elif event.stream == "absent":
            session.reject_play(1, "NetStream.Play.StreamNotFound", "nobody publishes it")
        else:
            session.accept_play(1)
            sock.sendall(session.take_output())
            for kind, body in (
                (SCRIPT, METADATA),
                (VIDEO, b"\x17\1"),
                (SCRIPT, METADATA),
                (VIDEO, b"\x27\1"),
            ):
                sock.sendall(write_message(kind, 40, 1, 6, body, session.replies.chunk_size))


@pytest.fixture
def origin() -> Iterator[Origin]:
    made = Origin()
    yield made
    made.listener.shutdown(socket.SHUT_RDWR)
    made.listener.close()
    made.join(10)


def read(url: str) -> list[FlvTag]:
    return [tag for found in open_source(url, timeout=10).tags() for tag in found]


def test_script_data_stands_in_its_place_among_the_media(origin):
    assert read(f"{origin.base}/room") == [
        FlvTag(SCRIPT, 40, METADATA),
        FlvTag(VIDEO, 40, b"\x17\1"),
        FlvTag(SCRIPT, 40, METADATA),
        FlvTag(VIDEO, 40, b"\x27\1"),
    ]


def test_a_redirect_is_followed(origin):
    assert len(read(f"{origin.base}/moved")) == 4
    assert origin.plays == ["moved", "room?token=t"]


def test_a_circle_of_redirects_ends(origin):
    with pytest.raises(ToolError, match="circle of servers"):
        read(f"{origin.base}/circle")


def test_a_refusal_says_why(origin):
    with pytest.raises(ToolError, match=r"StreamNotFound, nobody publishes it; publish the stream first"):
        read(f"{origin.base}/absent")


def test_a_url_without_an_application_is_refused(origin):
    with pytest.raises(ToolError, match="rtmp://HOST/APP/STREAM"):
        read(f"{origin.base.rpartition('/')[0]}/room")


def test_a_port_without_rtmp_is_named():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: listener.accept()[0].close())
        thread.start()
        with pytest.raises((ToolError, ConnectionError), match=r"no RTMP handshake|reset"):
            read(f"rtmp://127.0.0.1:{listener.getsockname()[1]}/live/room")
        thread.join(10)
