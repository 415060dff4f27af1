"""An owner of a session that says yes to everything, as an adapter would, and keeps what it saw."""

from __future__ import annotations

from fastflv._ext.ingest.sink import CollectSink
from fastflv.protocols.rtmp.events import ConnectWanted, PlayWanted, PublishWanted
from fastflv.protocols.rtmp.server import ServerSession

NOISE = bytes
"Of the handshake: zeros, which no peer minds."


class Owner:
    """Says yes to everything, as an adapter would, and keeps what it saw."""

    def __init__(self, **connect) -> None:
        self.session = ServerSession(noise=NOISE)
        self.sinks: dict[int, CollectSink] = {}
        "By message stream; a stream that publishes again goes on with the same."
        self.connect = connect
        self.events: list = []
        self.output = b""

    @property
    def sink(self) -> CollectSink:
        """Of a publisher of one stream."""
        (sink,) = self.sinks.values()
        return sink

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
        while events:
            self.events += events
            self.output += self.session.take_output()
            for event in events:
                if event.needs_answer:
                    self.answer(event)
            events = self.session.resume()
        self.output += self.session.take_output()

    def answer(self, event) -> None:
        if isinstance(event, ConnectWanted):
            self.session.accept_connect(**self.connect)
        elif isinstance(event, PublishWanted):
            sink = self.sinks.setdefault(event.stream_id, CollectSink())
            self.session.accept_publish(event.stream_id, sink)
        else:
            assert isinstance(event, PlayWanted)
            self.session.accept_play(event.stream_id)

    def kinds(self) -> list:
        return [type(event) for event in self.events]

    def saw(self) -> tuple:
        media = {stream_id: sink.messages for stream_id, sink in self.sinks.items()}
        states = [self.session.stream_state(stream_id) for stream_id in range(5)]
        return self.events, self.output, media, self.session.state, states
