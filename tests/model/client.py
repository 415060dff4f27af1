"""An RTMP client for tests: writes what encoders and players write, reads what the server said.

It chunks with the slow model, so the server's extension is tested against it.
"""

from __future__ import annotations

from model.chunks import Decoder, Encoder, Message

from fastflv.media.amf import amf0

TC_URL = "rtmp://192.0.2.7:1935/live"


class Client:
    """Builds one wire, call by call. `wire()` is all that was written since the last `wire()`."""

    def __init__(self, chunk_size: int = 128) -> None:
        self.encoder = Encoder()
        self.encoder.wire += b"\3" + bytes(8) + b"r" * 1528 + bytes(1536)
        if chunk_size != 128:
            self.encoder.set_chunk_size(chunk_size)

    def wire(self) -> bytes:
        wire = bytes(self.encoder.wire)
        self.encoder.wire.clear()
        return wire

    def send(
        self, kind: int, payload: bytes, csid: int = 3, stream_id: int = 0, timestamp: int = 0
    ) -> Client:
        self.encoder.write(Message(kind, timestamp, stream_id, csid, payload))
        return self

    def call(self, name: str, transaction: float, *arguments, stream_id: int = 0, kind: int = 20) -> Client:
        body = amf0.encode(name, float(transaction), *arguments)
        return self.send(kind, (b"\0" if kind == 17 else b"") + body, 8 if stream_id else 3, stream_id)

    def connect(self, tc_url: str = TC_URL, **more) -> Client:
        told = {
            "app": "live",
            "type": "nonprivate",
            "flashVer": "FMLE/3.0 (compatible; test)",
            "tcUrl": tc_url,
        }
        return self.call("connect", 1, told | more)

    def fmle_publish(self, name: str = "room", stream_id: int = 1) -> Client:
        """FFmpeg, OBS and librtmp."""
        self.call("releaseStream", 2, None, name).call("FCPublish", 3, None, name)
        return self.call("createStream", 4, None).call("publish", 5, None, name, "live", stream_id=stream_id)

    def flash_publish(self, name: str = "room", stream_id: int = 1) -> Client:
        return self.call("createStream", 2, None).call("publish", 0, None, name, "live", stream_id=stream_id)

    def haivision_publish(self, name: str = "room", stream_id: int = 1) -> Client:
        self.call("createStream", 2, None).call("_checkbw", 3, None).call("FCPublish", 4, None, name)
        return self.call("publish", 5, None, name, "live", stream_id=stream_id)

    def metadata(self, stream_id: int = 1, **pairs) -> Client:
        return self.send(18, amf0.encode("@setDataFrame", "onMetaData", pairs), 4, stream_id)

    def media(self, kind: int, timestamp: int, payload: bytes, stream_id: int = 1) -> Client:
        return self.send(kind, payload, 6 if kind == 9 else 4, stream_id, timestamp)

    def play(self, name: str = "room", stream_id: int = 1, *more) -> Client:
        self.send(5, b"\0\x26\x25\xa0", 2).call("createStream", 2, None).call(
            "getStreamLength", 3, None, name
        )
        self.call("play", 4, None, name, *more, stream_id=stream_id)
        return self.send(4, b"\0\3\0\0\0\1\0\0\x0b\xb8", 2)


def heard(output: bytes, handshake: bool = True) -> list[tuple]:
    """What the server said: (name, stream id, values...) for commands and data, (type, payload) for control."""
    said = []
    wire = output[3073:] if handshake else output
    decoder = Decoder()
    # The model obeys chunk sizes itself and does not show them; here they matter.
    finish = decoder.finish

    def show(message):
        if message.kind == 1:
            decoder.messages.append(message)
        finish(message)

    decoder.finish = show
    for message in decoder.decode(wire):
        if message.kind in (18, 20):
            values = amf0.decode_all(message.payload)
            said.append((values[0], message.stream_id, *values[1:]))
        else:
            said.append((message.kind, message.payload))
    return said


def media(client: Client, stream_id: int = 1) -> Client:
    client.metadata(stream_id, width=640.0)
    client.media(9, 0, b"\x17\0\0\0\0record", stream_id).media(8, 0, b"\xaf\0\x12\x10", stream_id)
    for n in range(4):
        client.media(9, 40 * n, bytes([0x27, 1]) + bytes(300 + n), stream_id)
        client.media(8, 40 * n + 5, b"\xaf\1" + bytes(150), stream_id)
    return client


def unpublish(client: Client, name: str = "room", stream_id: int = 1) -> Client:
    client.call("FCUnpublish", 6, None, name)
    return client.call("deleteStream", 7, None, float(stream_id))


def three(client: Client) -> Client:
    """FMLE with three renditions; the second ends first."""
    for stream_id in (1, 2, 3):
        client.fmle_publish(f"room{stream_id}", stream_id)
        media(client, stream_id)
    unpublish(client, "room2", 2)
    for stream_id in (1, 2, 3):
        media(client, stream_id)
    return unpublish(unpublish(client, "room1", 1), "room3", 3)


FLOWS = {
    "ffmpeg": lambda: unpublish(media(Client().connect(capabilities=15.0).fmle_publish())),
    "OBS": lambda: unpublish(
        media(
            Client(4096)
            .connect(fourCcList=["av01", "hvc1"], videoFourCcInfoMap={"*": 2.0}, capsEx=3.0)
            .fmle_publish("room?key=secret")
        )
    ),
    "librtmp with a ping on a fresh chunk stream": lambda: media(
        Client().connect().send(4, b"\0\3\0\0\0\0\0\0\1\x2c", 2).fmle_publish()
    ),
    "flash": lambda: media(Client().connect(objectEncoding=3.0).flash_publish()).call(
        "closeStream", 0, None, stream_id=1
    ),
    "haivision": lambda: unpublish(media(Client().connect().haivision_publish())),
    "player": lambda: (
        Client().connect(swfUrl="http://s/", pageUrl="http://p/").play().call("deleteStream", 8, None, 1.0)
    ),
    "publish twice": lambda: unpublish(
        media(unpublish(media(Client().connect().fmle_publish())).fmle_publish("second", 2), 2), "second", 2
    ),
    "three streams": lambda: three(Client().connect()),
}
