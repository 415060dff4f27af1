"""Redirects within a cluster: to the server that has a stream, and from an edge that is full to one that is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from fastflv.access.request import AccessRequest, Action
from fastflv.access.rule import Answer, LateRule, Waiting
from fastflv.access.verdict import ALLOW, Redirected, Verdict
from fastflv.cluster.directories import Directories
from fastflv.cluster.directory import Node
from fastflv.cluster.options import DirectoryOptions
from fastflv.config.model.vhost import DEFAULT_VHOST
from fastflv.stream.name import StreamName

CARRIERS: Final = {"ws": "http", "wss": "https"}
"Schemes that share the port of another one."


class RedirectRule(LateRule):
    """Answers at once, and changes nothing; it is late because clients that play are not asked about again.

    *is_here*: whether this server has a stream. *options_of*: of a vhost by its name, None where it has no directory.
    *load*: players of this server, and kbit/s sent.
    """

    __slots__ = ("_directories", "_is_here", "_load", "_options_of")

    def __init__(
        self,
        directories: Directories,
        is_here: Callable[[StreamName], bool],
        options_of: Callable[[str], DirectoryOptions | None],
        load: Callable[[], tuple[int, int]],
    ) -> None:
        self._directories = directories
        self._is_here = is_here
        self._options_of = options_of
        self._load = load

    def ask(self, request: AccessRequest, answer: Answer) -> Verdict | Waiting:
        options = self._options_of(request.vhost)
        directory = self._directories.at(options.url) if options is not None else None
        if options is None or directory is None or request.action is Action.RECORD:
            return ALLOW
        if request.action is Action.PLAY and options.edge:
            nodes = directory.edges(request.vhost) if self.is_full(options) else []
        elif options.edge or request.action.value not in options.redirect:
            return ALLOW
        else:
            name = StreamName(request.vhost, request.app, request.stream)
            nodes = directory.having(name) if not self._is_here(name) else []
        urls = (url for node in nodes if (url := url_at(node, request)))
        url = next(urls, "")
        return Redirected(url) if url else ALLOW

    def preview(self, request: AccessRequest) -> Verdict:
        """It refuses nobody: who is sent on plays there."""
        return ALLOW

    def is_full(self, options: DirectoryOptions) -> bool:
        """Whether this server takes no more players of an edge."""
        players, kbps = self._load()
        return 0 < options.max_players <= players or 0 < options.max_kbps <= kbps


def url_at(node: Node, request: AccessRequest) -> str:
    """Return the URL of what *request* asks for at another server; empty where it does not speak that scheme."""
    authority = node.card.addresses.get(CARRIERS.get(request.scheme, request.scheme), "")
    if not authority:
        return ""
    path = request.path if request.path else f"/{request.app}/{request.stream}"
    param = request.param
    # A client that comes to an address brings no name of a vhost.
    if request.vhost != DEFAULT_VHOST and "vhost=" not in param:
        param += f"{'&' if param else '?'}vhost={request.vhost}"
    return f"{request.scheme}://{authority}{quote(path)}{param}"
