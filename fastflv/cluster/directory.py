"""The directory of a cluster: which server has which stream, as this server knows it by now.

It is a copy of what stands in Redis, so a look-up waits for nobody and works on while Redis is lost.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from fastflv import limits
from fastflv.stream.name import StreamName

AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/?#\[\]@]+):[0-9]{1,5}")
"Host and port of a server, which go into redirects."


def key_of(name: StreamName) -> str:
    """Return how the directory calls a stream: `vhost/app/stream`."""
    return f"{name.vhost}/{name.app}/{name.stream}"


def name_of(key: str) -> StreamName:
    """Return the stream that `key_of` wrote."""
    vhost, _, path = key.partition("/")
    app, _, stream = path.rpartition("/")
    return StreamName(vhost, app, stream)


def mark_of(service: str, worker: int = 0) -> str:
    """Return the mark of a process: the id of its run, with the number of a worker behind a dot."""
    return f"{service}.{worker}" if worker else service


@dataclass(frozen=True, slots=True)
class NodeCard:
    """What a server says of itself."""

    server: str = ""
    "Its id (`server` of its API)."

    addresses: Mapping[str, str] = field(default_factory=dict)
    "Host and port by scheme: `rtmp`, `rtmps`, `http`, `https`, `api`."

    players: int = 0

    kbps: int = 0
    "Sent to its players, kbit/s."

    edges: tuple[str, ...] = ()
    "Vhosts of which it is an edge with room for players."

    origins: tuple[str, ...] = ()
    "Vhosts whose streams are published there."

    @classmethod
    def read(cls, fields: object) -> NodeCard:
        """Take what came from Redis; whatever is not as it should be counts as not said."""
        told = fields if isinstance(fields, dict) else {}
        addresses = told.get("addresses")
        return cls(
            _text(told.get("server")),
            {key: value for key, value in addresses.items() if AUTHORITY.fullmatch(_text(value))}
            if isinstance(addresses, dict)
            else {},
            _count(told.get("players")),
            _count(told.get("kbps")),
            _texts(told.get("edges")),
            _texts(told.get("origins")),
        )

    def fields(self) -> dict[str, object]:
        """Return it as Redis keeps it."""
        return {
            "server": self.server,
            "addresses": dict(self.addresses),
            "players": self.players,
            "kbps": self.kbps,
            "edges": list(self.edges),
            "origins": list(self.origins),
        }


class RowError(ValueError):
    """What Redis has of a server is not what fastflv writes; the text is one clause."""


def read_row(version: object, card: object) -> tuple[int, NodeCard]:
    """Return version and card of a server as Redis has them. Raises RowError."""
    if not isinstance(version, str) or not isinstance(card, str):
        raise RowError("version or card is missing")
    try:
        number = int(version)
    except ValueError:
        raise RowError("its version is no number") from None
    try:
        fields = json.loads(card)
    except (ValueError, RecursionError):
        raise RowError("its card is no JSON") from None
    return number, NodeCard.read(fields)


@dataclass(slots=True)
class Node:
    """One server."""

    mark: str
    "Of its process."

    card: NodeCard

    version: int
    "Counts the changes of its streams."

    streams: dict[str, float]
    "When each began, seconds since 1970, by `key_of`."


@dataclass(frozen=True, slots=True)
class News:
    """What a server tells the others."""

    mark: str

    gone: bool = False
    "It leaves."

    version: int = 0

    began: Mapping[str, float] | None = None
    "Streams with their times; None: all that the server has must be read."

    ended: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> News | None:
        """Take a message of the channel; None for one that is none of fastflv's."""
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            return None
        mark = _text(told.get("node")) if isinstance(told, dict) else ""
        if not mark:
            return None
        ended = told.get("ended")
        return cls(
            mark,
            told.get("gone") is True,
            _count(told.get("version")),
            streams_of(told["began"]) if "began" in told else None,
            _texts(ended),
        )


class Directory:
    """All processes with what they have, those of this server too. *mark*: of this process, which is one of them."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self._service = mark.partition(".")[0]
        self.watchers: list[Callable[[StreamName], None]] = []
        "Told of each stream that another server has begun to have."
        self._nodes: dict[str, Node] = {}
        self._having: dict[str, dict[str, Node]] = {}
        "Servers by what they have, then by mark."

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def __len__(self) -> int:
        return len(self._nodes)

    def node(self, mark: str) -> Node | None:
        return self._nodes.get(mark)

    def having(self, name: StreamName) -> list[Node]:
        """Return the other servers that have the stream, the one that has it longest first."""
        key = key_of(name)
        found = [node for mark, node in self._having.get(key, {}).items() if not self.is_own(mark)]
        return sorted(found, key=lambda node: (node.streams[key], node.mark))

    def edges(self, vhost: str) -> list[Node]:
        """Return the other edges of *vhost* with room, the one with the fewest players first."""
        found = [node for node in self if vhost in node.card.edges and not self.is_own(node.mark)]
        return sorted(found, key=lambda node: (node.card.players, node.mark))

    def origins(self, vhost: str) -> list[Node]:
        """Return the other servers to which streams of *vhost* are published, the one with the fewest first."""
        found = [node for node in self if vhost in node.card.origins and not self.is_own(node.mark)]
        return sorted(found, key=lambda node: (len(node.streams), node.mark))

    def is_own(self, mark: str) -> bool:
        """Whether a process belongs to this server: it is this one, or another of its workers."""
        return mark.partition(".")[0] == self._service

    # --- what Redis says ---

    def put(self, mark: str, card: NodeCard, version: int, streams: Mapping[str, float]) -> None:
        """Take note of a server with all that it has."""
        known = self._nodes.get(mark)
        if known is None and len(self._nodes) >= limits.DIRECTORY_NODES_MAX:
            return
        before = known.streams if known is not None else {}
        kept = dict(list(streams.items())[: limits.DIRECTORY_STREAMS_MAX])
        node = self._nodes[mark] = Node(mark, card, version, kept)
        for key in before.keys() - kept.keys():
            self._forget(key, mark)
        for key in kept:
            self._having.setdefault(key, {})[mark] = node
        self._tell(mark, kept.keys() - before.keys())

    def describe(self, mark: str, card: NodeCard) -> None:
        """Take note of what a server says of itself."""
        node = self._nodes.get(mark)
        if node is not None:
            node.card = card

    def change(self, mark: str, version: int, began: Mapping[str, float], ended: Collection[str]) -> bool:
        """Take note of a change; False where one before it was missed, and all of the server must be read."""
        node = self._nodes.get(mark)
        if node is None or version != node.version + 1:
            return False
        node.version = version
        for key in ended:
            if node.streams.pop(key, None) is not None:
                self._forget(key, mark)
        fresh = began.keys() - node.streams.keys()
        for key, since in began.items():
            if len(node.streams) < limits.DIRECTORY_STREAMS_MAX or key in node.streams:
                node.streams[key] = since
                self._having.setdefault(key, {})[mark] = node
        self._tell(mark, fresh)
        return True

    def drop(self, mark: str) -> None:
        """A server has left, or its lease is over."""
        node = self._nodes.pop(mark, None)
        for key in node.streams if node is not None else ():
            self._forget(key, mark)

    def _forget(self, key: str, mark: str) -> None:
        having = self._having.get(key, {})
        having.pop(mark, None)
        if not having:
            self._having.pop(key, None)

    def _tell(self, mark: str, keys: Collection[str]) -> None:
        if not self.is_own(mark):
            for key in keys:
                for watcher in self.watchers:
                    watcher(name_of(key))


def streams_of(found: object) -> dict[str, float]:
    """Return streams with their times, as far as *found* has some."""
    streams = {}
    for key, since in found.items() if isinstance(found, dict) else ():
        try:
            # JSON may escape half of a surrogate pair, which no other text can hold.
            key.encode()
            seconds = float(since)
        except (TypeError, ValueError, OverflowError):
            continue
        if math.isfinite(seconds):
            streams[key] = seconds
    return streams


def _text(value: object) -> str:
    return value if isinstance(value, str) and value.isprintable() else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
