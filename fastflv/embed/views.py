"""What a program sees of streams and clients: values, which change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from fastflv.access.request import AccessRequest
from fastflv.media.codecs import AUDIO, VIDEO, codec_name
from fastflv.stream.clients import Clients
from fastflv.stream.hub import Hub
from fastflv.stream.lag import Steps
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Phase


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


def sent_to_players(clients: Clients) -> Iterator[tuple[str, int]]:
    """Yield the id of its stream and the bytes that it was sent, for each player."""
    for client in list(clients):
        if not client.publish:
            yield client.stream.id, client.sent


def view_streams(
    hub: Hub, clients: Clients, sent: Mapping[str, int], time: Callable[[], float]
) -> Iterator[StreamView]:
    """Yield what streams are; *sent*: by `sent_to_players`, *time*: monotonic clock, seconds."""
    for stream in list(hub):
        writer = stream.writer
        yield StreamView(
            stream.id,
            stream.name,
            stream.phase,
            stream.publisher_id,
            clients.count(stream),
            codec_name(AUDIO, writer.audio_codec) if writer.has_audio else "",
            codec_name(VIDEO, writer.video_codec) if writer.has_video else "",
            writer.bytes,
            stream.sent_before + sent.get(stream.id, 0),
            time() - stream.began,
        )


def view_clients(clients: Clients, time: Callable[[], float]) -> Iterator[ClientView]:
    """Yield what clients are; *time*: as for `view_streams`."""
    for client in list(clients):
        yield ClientView(
            client.id,
            client.stream.name,
            client.request,
            client.publish,
            client.sent,
            client.received,
            time() - client.joined,
            client.steps,
        )
