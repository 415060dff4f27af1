"""Every error class of fastflv and its stable number.

An error says whose fault it is by its base class, what rule was broken by its class and
``spec``, and where by ``offset``. Numbers never change meaning; logs and the HTTP API show them.
"""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class Code(IntEnum):
    """Stable error numbers.

    20xx RTMP, 21xx FLV, 22xx codecs, 23xx streams, 24xx connections, 25xx media files, 30xx configuration, 31xx start, upgrade and failure,
    32xx commands beside the server, 40xx use.
    """

    RTMP_HANDSHAKE = 2001
    RTMP_CHUNK = 2002
    RTMP_MESSAGE_SIZE = 2003
    RTMP_CHUNK_STREAMS = 2004
    RTMP_COMMAND = 2005
    RTMP_COMMAND_ORDER = 2006
    RTMP_TIMEOUT = 2007
    RTMP_MESSAGE_BUDGET = 2008
    AMF = 2010
    FLV_HEADER = 2101
    FLV_TAG_SIZE = 2102
    FLV_TAG = 2103
    CODEC_CONFIG = 2201
    STREAM_BUSY = 2301
    PUBLISH = 2302
    MEDIA_FILE = 2501
    MEDIA_PLACE = 2502
    NET_PROXY = 2401
    WEBSOCKET_HANDSHAKE = 2402
    TOKEN = 2403
    NET_TLS = 2404
    HTTP_REPLY = 2405
    CONFIG_SYNTAX = 3001
    CONFIG_NAME = 3002
    CONFIG_VALUE = 3003
    CONFIG_FILE = 3004
    STARTUP = 3101
    HANDOVER = 3102
    SERVER_FAILED = 3103
    TOOL = 3201
    USAGE = 4001
    RESOURCE = 4002
    FILES_BUSY = 4003


class FlvError(Exception):
    """Base of all fastflv errors. Raise a subclass.

    ``detail`` is one sentence; ``offset`` is a byte position in the input, or -1 where none applies.
    """

    code: Code
    spec: str = ""

    def __init__(self, detail: str, *, offset: int = -1) -> None:
        super().__init__(detail)
        self.detail = detail
        self.offset = offset

    def __str__(self) -> str:
        place = f" at byte {self.offset}" if self.offset >= 0 else ""
        rule = f" ({self.spec})" if self.spec else ""
        return f"{int(self.code)} {self.code.name}: {self.detail}{place}{rule}"


class PeerError(FlvError):
    """The peer broke the protocol: close its connection, keep the server."""


class UsageError(FlvError):
    """Our own code called in the wrong order: a bug, never the peer's fault."""

    code = Code.USAGE


class ResourceError(FlvError):
    """The machine refused memory, threads or descriptors."""

    code = Code.RESOURCE


class FilesBusyError(ResourceError):
    """More calls wait for a disk than their share of the file threads allows: ask again later."""

    code = Code.FILES_BUSY


class HandshakeError(PeerError):
    """The first bytes of the connection are not an RTMP handshake."""

    code = Code.RTMP_HANDSHAKE
    spec = "RTMP 1.0, 5.2"


class ChunkError(PeerError):
    """A chunk header that no sender may produce."""

    code = Code.RTMP_CHUNK
    spec = "RTMP 1.0, 5.3.1"


class MessageSizeError(PeerError):
    """A message announced more bytes than the server takes."""

    code = Code.RTMP_MESSAGE_SIZE
    spec = "RTMP 1.0, 5.3.1.2"


class ChunkStreamsError(PeerError):
    """The peer opened more chunk streams than the server keeps."""

    code = Code.RTMP_CHUNK_STREAMS
    spec = "RTMP 1.0, 5.3.1.1"


class CommandError(PeerError):
    """A command message that cannot be understood."""

    code = Code.RTMP_COMMAND
    spec = "RTMP 1.0, 7.2"


class CommandOrderError(PeerError):
    """A command that is not allowed in the present state of the connection."""

    code = Code.RTMP_COMMAND_ORDER
    spec = "RTMP 1.0, 7.2"


class PeerTimeoutError(PeerError):
    """The peer stayed silent longer than it may."""

    code = Code.RTMP_TIMEOUT


class MessageBudgetError(PeerError):
    """The peer sent more besides media than the server listens to."""

    code = Code.RTMP_MESSAGE_BUDGET


class AmfError(PeerError):
    """AMF data that ends early or nests too deep."""

    code = Code.AMF
    spec = "AMF 0, 2"


class FlvHeaderError(PeerError):
    """The bytes do not begin with an FLV header."""

    code = Code.FLV_HEADER
    spec = "FLV v10.1, E.2"


class TagSizeError(PeerError):
    """An FLV tag announced more bytes than the server takes."""

    code = Code.FLV_TAG_SIZE
    spec = "FLV v10.1, E.4.1"


class TagError(PeerError):
    """An FLV tag of another type than audio, video and script data, or an encrypted one."""

    code = Code.FLV_TAG
    spec = "FLV v10.1, E.4.1"


class CodecConfigError(PeerError):
    """A decoder configuration record that contradicts itself or ends early."""

    code = Code.CODEC_CONFIG


class StreamBusyError(PeerError):
    """The stream name already has a publisher."""

    code = Code.STREAM_BUSY


class PublishError(FlvError):
    """A publish from within the process is refused or over; the sentence says why."""

    code = Code.PUBLISH


class MediaFileError(FlvError):
    """A media file is damaged, or is not what its name says."""

    code = Code.MEDIA_FILE


class MediaPlaceError(FlvError):
    """A place that was asked for lies outside of a media file."""

    code = Code.MEDIA_PLACE


class ProxyHeaderError(PeerError):
    """The first bytes of a connection are no PROXY protocol header."""

    code = Code.NET_PROXY
    spec = "PROXY protocol, 2"


class TlsHandshakeError(PeerError):
    """A peer does not get to the end of its TLS handshake."""

    code = Code.NET_TLS


class WebSocketHandshakeError(PeerError):
    """A request asks for a WebSocket in a wrong way."""

    code = Code.WEBSOCKET_HANDSHAKE
    spec = "RFC 6455, 4.2.1"

    def __init__(self, detail: str, *, version: bool = False) -> None:
        """*version*: the client speaks another version of the protocol."""
        super().__init__(detail)
        self.version = version


class HttpReplyError(PeerError):
    """The answer of an HTTP server is none, or too long."""

    code = Code.HTTP_REPLY
    spec = "RFC 9112"


class TokenError(PeerError):
    """A token, or the signature of a URL, that proves nothing here. ``detail`` says why, without the token."""

    code = Code.TOKEN


class ConfigError(FlvError):
    """The configuration is refused; nothing was started.

    ``file``, ``line`` and ``column`` (both from 1, 0 where there is none) say where, ``hint`` what to write
    instead ("" where there is none).
    """

    def __init__(
        self, detail: str, *, file: str = "", line: int = 0, column: int = 0, hint: str = ""
    ) -> None:
        super().__init__(detail)
        self.file = file
        self.line = line
        self.column = column
        self.hint = hint
        self.others: tuple[ConfigError, ...] = ()
        "Further problems of the same configuration."

    @property
    def problems(self) -> tuple[ConfigError, ...]:
        """This problem and the further ones."""
        return (self, *self.others)

    def __str__(self) -> str:
        place = ":".join(map(str, filter(None, (self.file, self.line, self.column))))
        hint = f"; {self.hint}" if self.hint else ""
        return f"{place}: {self.detail}{hint}" if place else f"{self.detail}{hint}"


class ConfigSyntaxError(ConfigError):
    """The text breaks the grammar."""

    code = Code.CONFIG_SYNTAX


class ConfigNameError(ConfigError):
    """A directive that fastflv does not know in that block."""

    code = Code.CONFIG_NAME


class ConfigValueError(ConfigError):
    """A known directive with a value it cannot have, or two that exclude each other."""

    code = Code.CONFIG_VALUE


class ConfigFileError(ConfigError):
    """A configuration file that cannot be read."""

    code = Code.CONFIG_FILE


class StartupError(FlvError):
    """The server cannot start; the sentence says what the operator should do."""

    code = Code.STARTUP

    def __str__(self) -> str:
        return self.detail


class ServerFailedError(FlvError):
    """The server within a program has failed; the log says at what. Nothing of it can be used any more."""

    code = Code.SERVER_FAILED

    def __str__(self) -> str:
        return self.detail


class HandoverError(FlvError):
    """What another process handed over cannot be gone on with: that process goes on itself."""

    code = Code.HANDOVER

    def __str__(self) -> str:
        return self.detail


class ToolError(FlvError):
    """A command beside the server cannot do what it was asked; the sentence says what to do."""

    code = Code.TOOL

    def __str__(self) -> str:
        return self.detail
