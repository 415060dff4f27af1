"""What a program sees of streams and clients: values of one moment, which change nothing."""

from __future__ import annotations

from dataclasses import dataclass

from fastflv.access.request import AccessRequest
from fastflv.media.codecs import AUDIO, VIDEO, codec_name
from fastflv.stream.clients import Client, Clients
from fastflv.stream.lag import Steps
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Phase, Stream


@dataclass(frozen=True, slots=True)
class StreamView:
    """One stream."""

    id: str
    "As the HTTP API has it."
    name: StreamName
    phase: Phase
    publisher_id: str
    "Client that publishes; empty within the grace period."
    clients: int
    "Players, and the publisher."
    audio: str
    "Codec of the audio track, as `AAC`; empty without one."
    video: str
    "Codec of the video track, as `H264`; empty without one."
    received: int
    "Bytes of media."
    sent: int
    "Bytes sent to players."
    seconds: float
    "Since the first publish."


@dataclass(frozen=True, slots=True)
class ClientView:
    """One publisher or player that was admitted."""

    id: str
    "As the HTTP API has it, and `Server.disconnect` takes it."
    name: StreamName
    request: AccessRequest
    "Address, protocol, URL and query."
    publish: bool
    sent: int
    "Bytes sent to it."
    received: int
    "Bytes received from it."
    seconds: float
    "Since it joined."
    steps: Steps
    "Lag of a player, and what was done about it; zeros for a publisher."


def view_stream(stream: Stream, clients: Clients, now: float) -> StreamView:
    """Return what *stream* is at *now*, monotonic clock, seconds."""
    writer = stream.writer
    running = sum(client.sent for client in clients if client.stream is stream and not client.publish)
    return StreamView(
        stream.id,
        stream.name,
        stream.phase,
        stream.publisher_id,
        clients.count(stream),
        codec_name(AUDIO, writer.audio_codec) if writer.has_audio else "",
        codec_name(VIDEO, writer.video_codec) if writer.has_video else "",
        writer.bytes,
        stream.sent_before + running,
        now - stream.began,
    )


def view_client(client: Client, now: float) -> ClientView:
    """Return what *client* is at *now*, monotonic clock, seconds."""
    return ClientView(
        client.id,
        client.stream.name,
        client.request,
        client.publish,
        client.sent,
        client.received,
        now - client.joined,
        client.steps,
    )
