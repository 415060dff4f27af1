"""An owner of a session that says yes to everything, as an adapter would, and keeps what it saw."""

from __future__ import annotations

from fastflv._ext.ingest.sink import CollectSink
from fastflv.protocols.rtmp.events import ConnectWanted, PlayWanted, PublishWanted
from fastflv.protocols.rtmp.session import Session

NOISE = b"0123456789abcdef"


class Owner:
    """Says yes to everything, as an adapter would, and keeps what it saw."""

    def __init__(self, **connect) -> None:
        self.session = Session(noise=NOISE)
        self.sink = CollectSink()
        self.connect = connect
        self.events: list = []
        self.output = b""

    def feed(self, *pieces: bytes) -> Owner:
        shared = bytearray(1 << 20)  # a receive buffer that is used again
        for piece in pieces:
            shared[: len(piece)] = piece
            view = memoryview(shared)[: len(piece)]
            self.take(self.session.receive(view))
            view.release()
            shared[: len(piece)] = bytes(len(piece))
        return self

    def take(self, events: list) -> None:
        while True:
            self.events += events
            self.output += self.session.take_output()
            if not self.session.waiting:
                return
            self.answer(self.events[-1])
            events = self.session.resume()

    def answer(self, event) -> None:
        if isinstance(event, ConnectWanted):
            self.session.accept_connect(**self.connect)
        elif isinstance(event, PublishWanted):
            self.session.accept_publish(self.sink)
        else:
            assert isinstance(event, PlayWanted)
            self.session.accept_play()

    def kinds(self) -> list:
        return [type(event) for event in self.events]

    def saw(self) -> tuple:
        return self.events, self.output, self.sink.messages, self.session.state
