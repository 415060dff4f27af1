"""Events of an RTMP client session. There are a few per session; media is never an event."""

from __future__ import annotations

from dataclasses import dataclass

from fastflv.protocols.rtmp.events import DataArrived


@dataclass(frozen=True, slots=True)
class Connected:
    """The server accepted `connect`."""

    four_ccs: tuple[str, ...]
    "`fourCcList` of an enhanced server; may be `*`. Empty for others."

    caps_ex: int
    "`capsEx` bits of an enhanced server: 1 reconnect, 2 multitrack, 4 ModEx, 8 nanosecond offset."

    mark: str = ""
    "Mark of the server's process where it is fastflv; empty for others."


@dataclass(frozen=True, slots=True)
class Started:
    """The server accepted a publish or play: media may be written, or follows."""

    stream_id: int
    "Message stream that the server gave."

    name: str
    "Stream name as given to `publish` or `play`."


@dataclass(frozen=True, slots=True)
class Failed:
    """The server refused connect, a publish or a play (`_error`), or ended one with a status of level error."""

    stream_id: int
    "Message stream; 0 for connect and for a stream that was not created."

    name: str
    "Stream name; empty for connect."

    code: str
    "For example `NetStream.Play.StreamNotFound`; may be empty."

    description: str
    "Text of the server; may be empty. Like the code without control characters, and NAME_CHARS_MAX long at most."


@dataclass(frozen=True, slots=True)
class Redirected:
    """The server refused with the address of another one (RTMP 302 of SRS). How often to follow is the owner's."""

    stream_id: int
    "As in Failed."

    name: str
    "As in Failed."

    url: str
    "rtmp://HOST/APP/STREAM, or rtmp://HOST/APP when connect was refused; TC_URL_CHARS_MAX characters at most."


@dataclass(frozen=True, slots=True)
class Status:
    """Any other `onStatus`."""

    stream_id: int
    code: str
    description: str
    level: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A play has no media any more (UnpublishNotify, Stop, Complete or StreamEOF). It may start again."""

    stream_id: int
    name: str


ClientEvent = Connected | Started | Failed | Redirected | Status | Ended | DataArrived
