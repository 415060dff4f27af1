"""fastflv: a live server that takes RTMP and fans it out as HTTP-FLV.

What stands in `__all__` is the public API for programs; docs/embed.md has it with examples.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastflv._ext.log.mediatag import MediaTag
    from fastflv.access.request import AccessRequest, Action
    from fastflv.access.verdict import ALLOW, Redirected, Verdict, forbid, unauthorized
    from fastflv.config.load import load, load_text
    from fastflv.config.model.server import Settings
    from fastflv.containers.flv.header import flv_header
    from fastflv.embed.event import ClientEvent, ClientStep, ConnectionEvent, Events, StreamEvent, StreamStep
    from fastflv.embed.publisher import Publisher
    from fastflv.embed.reader import Reader
    from fastflv.embed.server import Server
    from fastflv.embed.taps import Begin
    from fastflv.embed.views import ClientView, StreamView
    from fastflv.errors import (
        ConfigError,
        FlvError,
        PublishError,
        ResourceError,
        ServerFailedError,
        StartupError,
        UsageError,
    )
    from fastflv.media.codecs import AUDIO, SCRIPT, VIDEO
    from fastflv.record.event import RecordEvent, RecordStep
    from fastflv.servers.hls.event import SegmentEvent
    from fastflv.stream.name import StreamName

__version__ = "0.1.0"

__all__ = [
    "ALLOW",
    "AUDIO",
    "SCRIPT",
    "VIDEO",
    "AccessRequest",
    "Action",
    "Begin",
    "ClientEvent",
    "ClientStep",
    "ClientView",
    "ConfigError",
    "ConnectionEvent",
    "Events",
    "FlvError",
    "MediaTag",
    "PublishError",
    "Publisher",
    "Reader",
    "RecordEvent",
    "RecordStep",
    "Redirected",
    "ResourceError",
    "SegmentEvent",
    "Server",
    "ServerFailedError",
    "Settings",
    "StartupError",
    "StreamEvent",
    "StreamName",
    "StreamStep",
    "StreamView",
    "UsageError",
    "Verdict",
    "flv_header",
    "forbid",
    "load",
    "load_text",
    "unauthorized",
]

_HOMES = {
    "_ext.log.mediatag": ("MediaTag",),
    "access.request": ("AccessRequest", "Action"),
    "access.verdict": ("ALLOW", "Redirected", "Verdict", "forbid", "unauthorized"),
    "config.load": ("load", "load_text"),
    "config.model.server": ("Settings",),
    "containers.flv.header": ("flv_header",),
    "embed.event": ("ClientEvent", "ClientStep", "ConnectionEvent", "Events", "StreamEvent", "StreamStep"),
    "embed.publisher": ("Publisher",),
    "embed.reader": ("Reader",),
    "embed.server": ("Server",),
    "embed.taps": ("Begin",),
    "embed.views": ("ClientView", "StreamView"),
    "errors": (
        "ConfigError",
        "FlvError",
        "PublishError",
        "ResourceError",
        "ServerFailedError",
        "StartupError",
        "UsageError",
    ),
    "servers.hls.event": ("SegmentEvent",),
    "media.codecs": ("AUDIO", "SCRIPT", "VIDEO"),
    "record.event": ("RecordEvent", "RecordStep"),
    "stream.name": ("StreamName",),
}
"Where each name is: a module is imported when one of its names is asked for, so commands do not pay for the server."


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            found: object = getattr(import_module(f"fastflv.{home}"), name)
            return found
    raise AttributeError(f"module 'fastflv' has no attribute '{name}'")
