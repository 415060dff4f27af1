"""Answers of a server to an RTMP peer, with the texts and in the order of SRS, queued as chunks.

Spec: RTMP 1.0, 5.4, 7.1.7 and 7.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastflv._ext.ingest.chunkwrite import write_message
from fastflv.protocols.rtmp import commands

if TYPE_CHECKING:
    from fastflv.protocols.rtmp.events import ConnectWanted

# Chunk streams, as SRS uses them.
CONTROL_CHUNKS: Final = 2
CONNECTION_CHUNKS: Final = 3
STREAM_CHUNKS: Final = 5


class Replies:
    """The queue of bytes to write, and the chunk size in force for them."""

    __slots__ = ("_output", "chunk_size", "mark")

    chunk_size: int
    "Bytes; 128 until one is announced. Media written to a player must use the same."

    def __init__(self) -> None:
        self.chunk_size = 128
        self.mark = ""
        "Names this process to servers that send streams on."
        self._output: list[bytes] = []

    def take(self) -> bytes:
        """Hand over the bytes to write now, and forget them; empty when there are none."""
        if not self._output:
            return b""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def raw(self, block: bytes) -> None:
        """Queue bytes that are no message: the handshake."""
        self._output.append(block)

    def control(self, kind: int, payload: bytes) -> None:
        """Queue a protocol control message."""
        self._output.append(write_message(kind, 0, 0, CONTROL_CHUNKS, payload, self.chunk_size))

    def user_control(self, event: int, value: int) -> None:
        """Queue a user control message with one number, modulo 2**32."""
        self.control(commands.USER_CONTROL, event.to_bytes(2, "big") + commands.u32(value))

    def answer(self, payload: bytes, stream_id: int = 0) -> None:
        """Queue a command; those of a stream go on their own chunk stream."""
        self._message(commands.COMMAND_AMF0, payload, stream_id)

    def _message(self, kind: int, payload: bytes, stream_id: int) -> None:
        chunks = STREAM_CHUNKS if stream_id else CONNECTION_CHUNKS
        self._output.append(write_message(kind, 0, stream_id, chunks, payload, self.chunk_size))

    def status(self, code: str, description: str, stream_id: int, level: str = "status") -> None:
        """Queue `onStatus`; *level* is status, warning or error."""
        self.answer(commands.on_status(commands.status(code, description, level)), stream_id)

    def redirect(self, url: str, stream_id: int) -> None:
        """Queue the status that sends the peer to *url*."""
        self.answer(commands.on_status(commands.redirect(url)), stream_id)

    def connected(self, transaction: float, asked: ConnectWanted, window: int, chunk_size: int) -> None:
        """Queue all that answers an accepted `connect`; sizes in bytes."""
        self.control(commands.WINDOW_SIZE, commands.u32(window))
        self.control(commands.PEER_BANDWIDTH, commands.peer_bandwidth(window))
        # Before _result: FFmpeg adopts the chunk size received by then for its own chunks, and else stays at 128.
        self.control(commands.SET_CHUNK_SIZE, commands.u32(chunk_size))
        self.chunk_size = chunk_size
        self.answer(commands.connect_result(transaction, asked, self.mark))
        self.answer(commands.bandwidth_done())

    def publish_started(self, stream_id: int, fc: bool) -> None:
        """Queue the start of a publish; *fc* when the encoder announced it with FCPublish."""
        code, text = "NetStream.Publish.Start", "Started publishing stream."
        if fc:
            self.answer(commands.on_fc("onFCPublish", code, text), stream_id)
        self.status(code, text, stream_id)

    def play_started(self, stream_id: int) -> None:
        """Queue the messages that a player expects before media."""
        self.user_control(commands.STREAM_BEGIN, stream_id)
        self.status("NetStream.Play.Reset", "Playing and resetting stream.", stream_id)
        self.status("NetStream.Play.Start", "Started playing stream.", stream_id)
        self._message(commands.DATA_AMF0, commands.sample_access(), stream_id)

    def paused(self, stream_id: int, paused: bool) -> None:
        """Queue the answer to `pause`."""
        if paused:
            self.user_control(commands.STREAM_EOF, stream_id)
            self.status("NetStream.Pause.Notify", "Paused stream.", stream_id)
        else:
            self.user_control(commands.STREAM_BEGIN, stream_id)
            self.status("NetStream.Unpause.Notify", "Unpaused stream.", stream_id)

    def fc_unpublished(self, stream_id: int) -> None:
        """Queue the first answer to FCUnpublish."""
        text = "Stop publishing stream."
        self.answer(commands.on_fc("onFCUnpublish", "NetStream.Unpublish.Success", text), stream_id)

    def unpublished(self, stream_id: int) -> None:
        """Queue the end of a publish."""
        self.status("NetStream.Unpublish.Success", "Stop publishing stream.", stream_id)
