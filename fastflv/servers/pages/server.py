"""Answers requests for pages and for what they load."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from fastflv.config.routes import CONSOLE, STREAMS_JSON
from fastflv.net.ip import is_loopback
from fastflv.protocols.http.encoding import choose_encoding
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.mediatype import media_type
from fastflv.protocols.http.message import Response
from fastflv.protocols.http.validators import is_unmodified
from fastflv.servers.api.ports import OpenPort
from fastflv.servers.files.server import FileServer
from fastflv.servers.http.router import Match
from fastflv.servers.pages.built import ENCODINGS, BuiltFile
from fastflv.servers.pages.livestreams import LiveStreams
from fastflv.servers.pages.plain import MISSING, plain_page
from fastflv.servers.pages.policy import policy

FOREVER: Final = "public, max-age=31536000, immutable"
ASK_AGAIN: Final = "no-cache"


class PageServer:
    """The pages of a server. A page gives way to a file of the operator at its path."""

    def __init__(
        self,
        built: Mapping[str, BuiltFile],
        files: FileServer,
        streams: LiveStreams,
        ports: Callable[[], Iterable[OpenPort]],
    ) -> None:
        """*built*: by path; empty: npm has built nothing."""
        self._built = built
        self._files = files
        self._streams = streams
        self._ports = ports

    def handle(self, exchange: Exchange, match: Match) -> bool:
        """Answer a request on a port of streams."""
        path = exchange.request.path
        if path in (CONSOLE, CONSOLE[:-1]):
            answer = partial(self._lead, exchange)
        elif path == STREAMS_JSON:
            answer = partial(self._streams.answer, exchange, match.name.vhost)
        elif path == "/" and path not in self._built:
            answer = partial(self._plain, exchange, match.name.vhost)
        else:
            return self.console(exchange, match)
        self._files.answer(exchange, match.folders, answer)
        return True

    def console(self, exchange: Exchange, match: Match) -> bool:
        """Answer a request on a port of the API; False: npm has built no such file."""
        path = exchange.request.path
        file = self._built.get(path)
        if file is not None and file.hashed:
            _send(exchange, file)
        elif match.route.prefix and path.startswith(match.route.prefix):
            return False
        elif file is not None:
            self._files.answer(exchange, match.folders, partial(_send, exchange, file))
        elif f"{path}/" in self._built:
            query = f"?{exchange.request.query}" if exchange.request.query else ""
            # A relative address is right behind a proxy that serves this under another path too.
            found = partial(_move, exchange, f"{path.rpartition('/')[2]}/{query}", 301)
            self._files.answer(exchange, match.folders, found)
        else:
            absent = Response.of_text(404, MISSING)
            self._files.answer(exchange, match.folders, partial(exchange.respond, absent))
        return True

    def _plain(self, exchange: Exchange, vhost: str) -> None:
        streams = self._streams
        streams.find(exchange, vhost, lambda rows: exchange.respond(plain_page(rows, listed=streams.listed)))

    def _lead(self, exchange: Exchange) -> None:
        """Answer with the way to the console, which stands on a port of the API."""
        request, secure = exchange.request, exchange.request.peer.secure
        ports = sorted(
            (each for each in self._ports() if each.api), key=lambda each: (each.scheme == "https") != secure
        )
        reached = [each for each in ports if not is_loopback(each.host) or is_loopback(request.peer.ip)]
        host = request.host
        if reached and host:
            host = f"[{host}]" if ":" in host else host
            _move(exchange, f"{reached[0].scheme}://{host}:{reached[0].port}{CONSOLE}", 302)
            return
        where = ", ".join(f"{each.host}:{each.port}" for each in ports) or "no open port"
        text = f"the console is on the port of the API, {where}, which this address does not reach (http_api {{ listen }})"
        exchange.respond(Response.of_text(404, text))


def _send(exchange: Exchange, file: BuiltFile) -> None:
    """Answer with *file* in the best encoding that the client takes."""
    request = exchange.request
    encoding = choose_encoding(
        request.headers.get("accept-encoding", ""), [each for each in ENCODINGS if each in file.validators]
    )
    validators = file.validators[encoding]
    headers = {
        **validators.fields,
        "Cache-Control": FOREVER if file.hashed else ASK_AGAIN,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    if encoding:
        headers["Content-Encoding"] = encoding
    if not file.hashed:
        headers["Content-Security-Policy"] = policy(request.path, request.host)
        headers["Referrer-Policy"] = "same-origin"
    answer = Response(content_type=media_type(file.name), headers=headers)
    if is_unmodified(request.headers, validators):
        answer.status = 304
    else:
        answer.body = file.body(encoding)
    exchange.respond(answer)


def _move(exchange: Exchange, address: str, status: int) -> None:
    exchange.respond(Response.of_text(status, Location=address))
