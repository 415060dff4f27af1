"""Events of an RTMP server session. There are a few per session; media is never an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

PublisherKind: TypeAlias = Literal["fmle", "flash", "haivision"]


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""

    needs_answer: ClassVar[bool] = False
    "Whether the owner answers with accept, reject or redirect."


@dataclass(frozen=True, slots=True)
class ConnectWanted(Event):
    """The peer asks for an application; answer with `accept_connect` or `reject_connect`."""

    needs_answer = True

    app: str
    "Application, percent-decoded, no slash at either end: that of `app`, else the path of tcUrl."

    vhost: str
    "From the query or the host of tcUrl; may be empty, and is not looked up yet."

    host: str
    "Host of tcUrl; may be empty."

    port: int
    "Port of tcUrl, or the usual one of its schema."

    param: str
    "Query of tcUrl with a leading `?`, or empty."

    tc_url: str
    "As sent, without control characters like the three below, which are NAME_CHARS_MAX long at most."

    page_url: str
    "Web page of a browser player, or empty."

    swf_url: str
    "Address of a Flash player, or empty."

    flash_ver: str
    "Name that the client gives itself."

    object_encoding: float
    "0 for AMF 0, 3 for AMF 3."

    four_ccs: tuple[str, ...]
    "`fourCcList`: codecs of an enhanced client; may be `*`. Empty for others."

    video_four_ccs: tuple[tuple[str, int], ...]
    "`videoFourCcInfoMap`: FourCC and flags 1 decode, 2 encode, 4 forward."

    audio_four_ccs: tuple[tuple[str, int], ...]
    "`audioFourCcInfoMap`, likewise."

    caps_ex: int
    "`capsEx` bits: 1 reconnect, 2 multitrack, 4 ModEx, 8 nanosecond offset."

    relay: bool = False
    "The client is a server that plays for others: an edge of fastflv or SRS."

    resumes: bool | None = None
    "An edge says whether it has the stream until now, from another server; None: it is none, or an old one."

    via: tuple[str, ...] = ()
    "Marks of the servers that the stream has passed, the first one first; empty where no fastflv sends it on."


@dataclass(frozen=True, slots=True)
class PublishWanted(Event):
    """The peer asks to publish; answer with `accept_publish`, `reject_publish` or `redirect`."""

    needs_answer = True

    vhost: str
    "As in ConnectWanted, unless the query of the stream name says another."

    app: str
    "As in ConnectWanted, unless the stream name had slashes."

    stream: str
    "Stream name, percent-decoded, no slash, no query; may be empty."

    param: str
    "Query of the stream name, then those of the app and of tcUrl, with a leading `?`; or empty."

    kind: PublisherKind
    "Which family of encoders the order of commands shows."

    stream_id: int
    "Message stream that the media comes on."

    via: tuple[str, ...] = ()
    "As in ConnectWanted."


@dataclass(frozen=True, slots=True)
class PlayWanted(Event):
    """The peer asks to play; answer with `accept_play`, `reject_play` or `redirect`."""

    needs_answer = True

    vhost: str
    "As in PublishWanted."

    app: str
    "As in PublishWanted."

    stream: str
    "As in PublishWanted."

    param: str
    "As in PublishWanted."

    start: float
    "-2 live or recorded, -1 live only, from 0 a position (seconds; some players send ms)."

    duration: float
    "Milliseconds wanted (the unit of SRS, nginx-rtmp and librtmp), or -1 for all."

    reset: bool
    "Whether an older playlist is dropped."

    stream_id: int
    "Message stream that the media must go to."


@dataclass(frozen=True, slots=True)
class DataArrived(Event):
    """The publisher sent script data, mostly `onMetaData`."""

    timestamp: int
    "Milliseconds modulo 2**32, as sent."

    payload: bytes
    "AMF 0 values from the name on: what an FLV script tag carries. `@setDataFrame` is taken off."

    name: str
    "First value of the payload."

    stream_id: int
    "Message stream of the publish."


@dataclass(frozen=True, slots=True)
class Unpublished(Event):
    """A publish ended, or was taken back before its answer; the connection stays and may publish again."""

    stream_id: int
    "Message stream of the publish; others of the connection go on."

    reason: str
    "Command that ended it."


@dataclass(frozen=True, slots=True)
class PlayStopped(Event):
    """The play ended; the connection stays and may play again."""

    stream_id: int
    "Message stream of the play."

    reason: str
    "Command that ended it."


@dataclass(frozen=True, slots=True)
class Paused(Event):
    """The player paused or resumed; the session has sent the answer already."""

    stream_id: int
    "Message stream of the play."

    paused: bool
    "True to send nothing."


@dataclass(frozen=True, slots=True)
class AudioWanted(Event):
    """The player switched audio off or on."""

    stream_id: int
    "Message stream of the play."

    wanted: bool
    "False to leave audio out."


@dataclass(frozen=True, slots=True)
class VideoWanted(Event):
    """The player switched video off or on."""

    stream_id: int
    "Message stream of the play."

    wanted: bool
    "False to leave video out."
