"""RTMP commands and control messages as values: those that peers send, and the answers of a server.

Nothing here has state; `servercommands` and `client` decide what is sent when.

Spec: RTMP 1.0, 5.4 (control), 7.1.7 (user control), 7.2 (commands); Enhanced RTMP v2, "Enhancing
NetConnection connect Command".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from sys import intern
from typing import Final

from fastflv import __version__, limits
from fastflv.errors import AmfError, CommandError
from fastflv.media.amf import amf0
from fastflv.media.amf.values import UNDEFINED, EcmaArray, Value
from fastflv.protocols.rtmp import address
from fastflv.protocols.rtmp.connectarguments import RELAY, RESUMES, VIA
from fastflv.protocols.rtmp.events import ConnectWanted

# Message types.
SET_CHUNK_SIZE, ACKNOWLEDGEMENT, USER_CONTROL, WINDOW_SIZE, PEER_BANDWIDTH = 1, 3, 4, 5, 6
DATA_AMF3, COMMAND_AMF3, DATA_AMF0, COMMAND_AMF0 = 15, 17, 18, 20

MEDIA: Final = frozenset({8, 9, 22})  # audio, video, aggregate
OF_A_PUBLISH: Final = MEDIA | {DATA_AMF0, DATA_AMF3}

# User control events.
STREAM_BEGIN, STREAM_EOF, SET_BUFFER_LENGTH, PING_REQUEST, PING_RESPONSE = 0, 1, 3, 6, 7

VIDEO_FOUR_CCS: Final = ("avc1", "hvc1", "vvc1", "av01", "vp08", "vp09")
AUDIO_FOUR_CCS: Final = ("mp4a", ".mp3", "Opus", "ac-3", "ec-3", "fLaC")
FORWARD: Final = 4.0  # a server that decodes nothing can forward everything
CAPS: Final = 15.0  # reconnect, multitrack, ModEx, nanosecond offset: all pass through

IGNORED_ANSWERS: Final = frozenset({"_result", "_error", "onStatus", "onBWDone"})
"Answers of a peer. A server does not answer them: two servers would go on for ever."

STARTED: Final = frozenset(
    {"NetStream.Publish.Start", "NetStream.Play.Start", "NetStream.Play.PublishNotify"}
)
"Statuses that begin a publish or play, or begin a play again."

ENDED: Final = frozenset({"NetStream.Play.UnpublishNotify", "NetStream.Play.Stop", "NetStream.Play.Complete"})
"Statuses that end the media of a play."

MARK: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
"One mark of a server that a stream has passed."

REDIRECT: Final = 302.0
"Value of `ex.code` in the status of a redirect, as SRS sends it."


@dataclass(frozen=True, slots=True)
class Command:
    """One command message."""

    name: str
    "What is called, as sent."

    transaction: float
    "Number that the answer repeats; 0 when none is expected."

    arguments: tuple[Value, ...]
    "Values behind the transaction. The first is the command object, null for most."

    stream_id: int
    "Message stream that it came on; 0 is the connection."

    def text(self, index: int) -> str | None:
        """Argument *index* as text, or None."""
        value = self.arguments[index] if index < len(self.arguments) else None
        return value if isinstance(value, str) else None

    def number(self, index: int, default: float) -> float:
        """Argument *index* as a number, or *default*."""
        value = self.arguments[index] if index < len(self.arguments) else None
        return value if isinstance(value, float) and value == value else default

    def flag(self, index: int, default: bool) -> bool:
        """Argument *index* as yes or no; encoders also write numbers."""
        value = self.arguments[index] if index < len(self.arguments) else None
        return bool(value) if isinstance(value, (bool, float)) else default

    def info(self) -> dict[str, Value]:
        """The information object of `onStatus`, `_error` and the like; empty when there is none."""
        found = next((value for value in self.arguments[1:] if isinstance(value, dict)), None)
        return dict(found) if found is not None else {}


def amf0_body(payload: bytes) -> bytes:
    """The AMF 0 values of a message of type 15 or 17, without the format byte in front."""
    return payload[1:] if payload[:1] == b"\0" else payload


def read_command(kind: int, stream_id: int, payload: bytes) -> Command:
    """Read a message of type 17 or 20.

    Raises CommandError over COMMAND_BYTES_MAX or when no name stands first, AmfError for bad values.
    """
    if len(payload) > limits.COMMAND_BYTES_MAX:
        raise CommandError(f"command of {len(payload)} bytes; {limits.COMMAND_BYTES_MAX} are taken")
    values = amf0.decode_all(amf0_body(payload) if kind == COMMAND_AMF3 else payload)
    if not values or not isinstance(values[0], str):
        raise CommandError("a command without a name")
    transaction = values[1] if len(values) > 1 else 0.0
    if not isinstance(transaction, float) or not transaction > 0:
        transaction = 0.0
    return Command(values[0], transaction, tuple(values[2:]), stream_id)


def read_call(kind: int, payload: bytes) -> tuple[str, float]:
    """Name and transaction of a command that `read_command` refused; an empty name and 0 where they cannot be read."""
    body = (amf0_body(payload) if kind == COMMAND_AMF3 else payload)[: limits.COMMAND_BYTES_MAX]
    try:
        name, at = amf0.decode(body)
        transaction, _ = amf0.decode(body, at)
    except AmfError:
        return "", 0.0
    if not isinstance(transaction, float) or not transaction > 0:
        transaction = 0.0
    return name if isinstance(name, str) else "", transaction


def read_data(kind: int, payload: bytes) -> tuple[str, bytes] | None:
    """Name and AMF 0 bytes of a data message (type 15 or 18), or None when it has no name.

    Only the name is parsed. `@setDataFrame` is an order to the server and not part of the data.
    """
    body = amf0_body(payload) if kind == DATA_AMF3 else payload
    if body[:1] != b"\x02":
        return None
    name, end = amf0.decode(body)
    if name == "@setDataFrame":
        body = body[end:]
        if body[:1] != b"\x02":
            return None
        name, _ = amf0.decode(body)
    assert isinstance(name, str)
    return name, body


def read_user_control(payload: bytes) -> tuple[int, int]:
    """Event and first number of a user control message. Raises CommandError below 6 bytes."""
    if len(payload) < 6:
        raise CommandError(f"user control message of {len(payload)} bytes")
    return int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:6], "big")


def read_window(payload: bytes) -> int:
    """Bytes of a Window Acknowledgement Size message. Raises CommandError below 4 bytes."""
    if len(payload) < 4:
        raise CommandError(f"window size of {len(payload)} bytes")
    return int.from_bytes(payload[:4], "big")


def place_of(command: Command) -> tuple[str, str]:
    """tcUrl and app of a `connect`, as sent; empty where there is none."""
    told = command.arguments[0] if command.arguments else None
    if not isinstance(told, dict):
        return "", ""
    url, app = told.get("tcUrl"), told.get("app")
    # Thousands of publishers keep the same texts; interned ones are freed with the last of them.
    return intern(url) if isinstance(url, str) else "", intern(app) if isinstance(app, str) else ""


def read_connect(command: Command) -> ConnectWanted:
    """Read the arguments of `connect`. Raises CommandError without an object, for a bad or too long address."""
    told = command.arguments[0] if command.arguments else None
    if not isinstance(told, dict):
        raise CommandError("connect without an object")

    def text(key: str) -> str:
        value = told.get(key)
        return value if isinstance(value, str) else ""

    url, app = place_of(command)
    for what, given in (("tcUrl", url), ("app", app)):
        if len(given) > limits.TC_URL_CHARS_MAX:
            raise CommandError(f"{what} of {len(given)} characters; {limits.TC_URL_CHARS_MAX} are taken")
    where = address.parse(url, app=app)
    encoding = told.get("objectEncoding")
    return ConnectWanted(
        app=where.app,
        vhost=where.vhost,
        host=where.host,
        port=where.port,
        param=where.param,
        tc_url=address.bounded(url, limits.TC_URL_CHARS_MAX),
        page_url=address.bounded(text("pageUrl")),
        swf_url=address.bounded(text("swfUrl")),
        flash_ver=address.bounded(text("flashVer")),
        object_encoding=3.0 if encoding == 3.0 else 0.0,
        four_ccs=four_ccs(told),
        video_four_ccs=_info_map(told.get("videoFourCcInfoMap")),
        audio_four_ccs=_info_map(told.get("audioFourCcInfoMap")),
        caps_ex=caps_ex(told),
        relay=told.get(RELAY) is True
        or any(isinstance(each, dict) and "srs_server" in each for each in command.arguments[1:]),
        resumes=told[RESUMES] is True if RESUMES in told else None,
        via=tuple(MARK.findall(text(VIA)))[: limits.VIA_MARKS_MAX],
    )


def four_ccs(told: dict[str, Value]) -> tuple[str, ...]:
    """`fourCcList` of an enhanced peer, or nothing."""
    listed = told.get("fourCcList")
    if not isinstance(listed, list):
        return ()
    return tuple(code for code in listed if isinstance(code, str) and len(code) <= 4)


def caps_ex(told: dict[str, Value]) -> int:
    """`capsEx` bits of an enhanced peer, or 0."""
    caps = told.get("capsEx")
    return int(caps) & 0xFF if isinstance(caps, float) and 0 <= caps < 1 << 32 else 0


def _info_map(told: Value) -> tuple[tuple[str, int], ...]:
    """FourCCs and their three flag bits."""
    if not isinstance(told, dict):
        return ()
    return tuple(
        (code, int(flags) & 7)
        for code, flags in told.items()
        if len(code) <= 4 and isinstance(flags, float) and 0 <= flags < 1 << 32
    )


def connect_result(transaction: float, asked: ConnectWanted, mark: str = "") -> bytes:
    """`_result` for `connect`. An enhanced client gets our own list in each form that it sent.

    *mark*: of this process, for servers that send streams on.
    """
    properties: dict[str, Value] = {"fmsVer": "FMS/3,5,3,888", "capabilities": 127.0, "mode": 1.0}
    if asked.four_ccs:
        properties["fourCcList"] = list(VIDEO_FOUR_CCS + AUDIO_FOUR_CCS)
    if asked.video_four_ccs:
        properties["videoFourCcInfoMap"] = dict.fromkeys(("*", *VIDEO_FOUR_CCS), FORWARD)
    if asked.audio_four_ccs:
        properties["audioFourCcInfoMap"] = dict.fromkeys(("*", *AUDIO_FOUR_CCS), FORWARD)
    if asked.caps_ex:
        properties["capsEx"] = CAPS
    info = status("NetConnection.Connect.Success", "Connection succeeded")
    info["objectEncoding"] = asked.object_encoding
    data: dict[str, Value] = {"version": "3,5,3,888", "server": "fastflv", "server_version": __version__}
    if mark:
        data["mark"] = mark
    info["data"] = EcmaArray(data)
    return amf0.encode("_result", transaction, properties, info)


def mark_of(info: dict[str, Value]) -> str:
    """The mark that `connect_result` wrote, or empty."""
    data = info.get("data")
    mark = data.get("mark") if isinstance(data, dict) and data.get("server") == "fastflv" else None
    return mark if isinstance(mark, str) and MARK.fullmatch(mark) else ""


def connect_error(transaction: float, description: str) -> bytes:
    """`_error` for `connect`."""
    return call_error(transaction, "NetConnection.Connect.Rejected", description)


def call_error(transaction: float, code: str, description: str) -> bytes:
    """`_error` for any call."""
    return amf0.encode("_error", transaction, None, status(code, description, "error"))


def result(transaction: float, value: Value = None) -> bytes:
    """`_result` with null and one value."""
    return amf0.encode("_result", transaction, None, value)


def done(transaction: float) -> bytes:
    """`_result` of a call that gives nothing back, as releaseStream and FCPublish."""
    return amf0.encode("_result", transaction, None, UNDEFINED)


def status(code: str, description: str, level: str = "status") -> dict[str, Value]:
    """The information object of `onStatus`. *level* is status, warning or error."""
    return {"level": level, "code": code, "description": description}


def redirect(url: str) -> dict[str, Value]:
    """Information object that sends the peer to *url*, rtmp://HOST/APP/STREAM, in the form of SRS ("RTMP 302").

    `ex.redirect` is the tcUrl, `ex.redirect2` the whole URL.
    """
    path, query, param = url.partition("?")
    tc_url = path.rpartition("/")[0] + query + param
    info = status("NetConnection.Connect.Rejected", f"RTMP 302 {url}", "error")
    info["ex"] = {"code": REDIRECT, "redirect": tc_url, "redirect2": url}
    return info


def redirect_of(info: dict[str, Value], name: str) -> str:
    """The URL that `redirect` wrote, or empty. Where only the tcUrl stands, *name* is put behind its path."""
    ex = info.get("ex")
    if not isinstance(ex, dict) or ex.get("code") != REDIRECT:
        return ""
    whole, tc_url = ex.get("redirect2"), ex.get("redirect")
    if isinstance(whole, str) and whole:
        url = whole
    elif isinstance(tc_url, str) and tc_url:
        path, _, param = tc_url.partition("?")
        name, _, own = name.partition("?")
        query = "&".join(part for part in (own, param) if part)
        url = f"{path.rstrip('/')}/{name}".rstrip("/") + ("?" + query if query else "")
    else:
        return ""
    return url if len(url) <= limits.TC_URL_CHARS_MAX and url.isprintable() else ""


def on_status(info: dict[str, Value]) -> bytes:
    """`onStatus` with an information object."""
    return amf0.encode("onStatus", 0.0, None, info)


def on_fc(name: str, code: str, description: str) -> bytes:
    """`onFCPublish` or `onFCUnpublish`."""
    return amf0.encode(name, 0.0, None, {"code": code, "description": description})


def bandwidth_done() -> bytes:
    """`onBWDone`, which ends the connect of Flash clients."""
    return amf0.encode("onBWDone", 0.0, None)


def sample_access() -> bytes:
    """The data message that lets Flash players read samples; players without Flash skip it."""
    return amf0.encode("|RtmpSampleAccess", True, True)


def u32(value: int) -> bytes:
    """Four bytes, modulo 2**32: the payload of most control messages."""
    return (value & 0xFFFFFFFF).to_bytes(4, "big")


def peer_bandwidth(window: int) -> bytes:
    """Set Peer Bandwidth, dynamic (type 2)."""
    return u32(window) + b"\x02"
