"""Publishing without RTMP: `stream_caster { caster flv; }` and `flv_tcp { }`."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from posixpath import split
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from fastflv.config.endpoint import Endpoint
from fastflv.config.grammar.section import Section
from fastflv.config.template import PathTemplate
from fastflv.config.variable import Variable

ENDING: Final = ".flv"
RTMP_PORT: Final = 1935


@dataclass(frozen=True, slots=True)
class CasterOutput:
    """`output`: which stream of this server a request of a caster's port publishes."""

    text: str
    "The URL as it was written."

    host: str
    port: int
    vhost: str
    "Name whose vhost takes the streams: `?vhost=`, else the host."

    template: PathTemplate
    "The path, `/[app]/[stream]` for example."

    @classmethod
    def parse(cls, text: str) -> CasterOutput:
        """Read *text*. Raises ValueError with one sentence on what to write instead."""
        # The brackets of an address would be taken for a variable, and the other way round.
        scheme, _, rest = text.partition("://")
        authority, slash, path = rest.partition("/")
        try:
            parts = urlsplit(f"{scheme}://{authority}")
            host, port = parts.hostname or "", parts.port or RTMP_PORT
        except ValueError:
            host, port = "", 0
        if scheme != "rtmp" or not host or not slash:
            raise ValueError("write rtmp://127.0.0.1/[app]/[stream]")
        path, _, query = path.partition("?")
        template = PathTemplate.parse(f"/{path}", "")
        if "[" in path.replace("[app]", "").replace("[stream]", ""):
            raise ValueError("there are the variables [app] and [stream], and no others")
        if template.text.count("/") < 2 or any(not part for part in template.text[1:].split("/")):
            raise ValueError("it has an app and a stream, as rtmp://127.0.0.1/[app]/[stream]")
        return cls(text, host, port, dict(parse_qsl(query)).get("vhost", host), template)

    def names(self, path: str) -> tuple[str, str] | None:
        """Return app and stream for the *path* of a request; None where it lacks one that the output has.

        As in SRS: all but the last part of the path is the app, and the ending `.flv` is left out.
        """
        folder, name = split(path)
        app = folder.strip("/")
        found = self.template.variables
        if (Variable.APP in found and not app) or (
            Variable.STREAM in found and not name.removesuffix(ENDING)
        ):
            return None
        filled = self.template.fill(app=app, stream=name).removesuffix(ENDING)
        app, stream = split(filled)
        return app.strip("/"), stream

    def is_here(self, hosts: tuple[str, ...], endpoints: tuple[Endpoint, ...]) -> bool:
        """Whether it names a listener of RTMP of this server. *hosts*: names of vhosts; *endpoints*: of RTMP."""
        if not any(each.port in (0, self.port) for each in endpoints):
            return False
        if (
            self.host == "localhost"
            or self.host in hosts
            or any(self.host == each.host for each in endpoints)
        ):
            return True
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return address.is_loopback or address.is_unspecified

    def __str__(self) -> str:
        return self.text


DEFAULT_OUTPUT: Final = "rtmp://127.0.0.1/[app]/[stream]"


@dataclass(frozen=True, slots=True)
class StreamCaster:
    """`stream_caster { caster flv; }`, when enabled: a port that takes FLV by HTTP POST, PUT and WebSocket."""

    listen: tuple[Endpoint, ...] = (Endpoint("", 8936),)
    "Default 8936."

    output: CasterOutput = field(default_factory=lambda: CasterOutput.parse(DEFAULT_OUTPUT))
    "The stream that a request publishes. Default rtmp://127.0.0.1/[app]/[stream]."

    source: Section | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{' '.join(map(str, self.listen))} to {self.output}"


@dataclass(frozen=True, slots=True)
class FlvTcp:
    """`flv_tcp { }`: raw FLV over TCP, streams named 0, 1 and so on."""

    enabled: bool = False
    "fastflv: default off."

    listen: tuple[Endpoint, ...] = (Endpoint("", 8888),)
    "fastflv: endpoints. Default 8888."

    app: str = "live"
    "fastflv: application of the streams. Default live."


def read_casters(root: Section) -> tuple[StreamCaster, ...]:
    """Build every enabled `stream_caster { caster flv; }`; an output that cannot be is a problem, and the caster is left out."""
    found = []
    for section in root.subs("stream_caster"):
        if not section.flag("enabled", False) or section.text("caster", "") != "flv":
            continue
        value = section.word("output")
        try:
            output = CasterOutput.parse(value.words[0] if value else DEFAULT_OUTPUT)
        except ValueError as error:
            assert value is not None
            root.problems.add(value.error(f"cannot be '{value.words[0]}'", str(error)))
            continue
        found.append(section.fill(StreamCaster, output=output, source=section))
    return tuple(found)
