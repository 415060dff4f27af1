"""The directories of a server, one for each Redis that its vhosts name: streams are told there as they begin and end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

from fastflv.cluster.address import OriginAddress
from fastflv.cluster.directory import Directory, NodeCard, key_of
from fastflv.cluster.directorylink import DirectoryLink
from fastflv.cluster.options import DirectoryOptions
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Phase, Stream

Located = Callable[[str, StreamName], None]
"Told of the URL of a directory and of a stream that another server has begun to have."


class Directories:
    """Keeps the links to all directories that the configuration names. A watcher of the hub.

    *options_of*: of a vhost by its name, None where it has no directory. *card*: what this server says of itself to the
    directory at a URL.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hub: Hub,
        mark: str,
        *,
        options_of: Callable[[str], DirectoryOptions | None],
        card: Callable[[str], NodeCard],
    ) -> None:
        self.watchers: list[Located] = []
        self._loop = loop
        self._hub = hub
        self._mark = mark
        self._options_of = options_of
        self._card = card
        self._links: dict[str, DirectoryLink] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[DirectoryLink]:
        return iter(self._links.values())

    def of(self, vhost: str) -> Directory | None:
        """Return the directory of a vhost."""
        options = self._options_of(vhost)
        return self.at(options.url) if options is not None else None

    def at(self, url: str) -> Directory | None:
        link = self._links.get(url)
        return link.directory if link is not None else None

    def names(self, address: OriginAddress) -> bool:
        """Whether a server of a directory answers at *address*."""
        return any(
            node.card.addresses.get(address.scheme) == address.authority
            for link in self
            for node in link.directory
        )

    # --- the configuration ---

    def adopt(self, vhosts: Mapping[str, DirectoryOptions | None]) -> None:
        """Use the directories of a new configuration; *vhosts*: all of it."""
        wanted = {options.url for options in vhosts.values() if options is not None}
        for url in self._links.keys() - wanted:
            self._leave(self._links.pop(url))
        for url in wanted - self._links.keys():
            directory = Directory(self._mark)
            directory.watchers.append(lambda name, url=url: self._tell(url, name))  # type: ignore[misc]
            link = self._links[url] = DirectoryLink(
                self._loop, url, directory, lambda url=url: self._card(url)  # type: ignore[misc]
            )  # fmt: skip
            link.start()
        for link in self._links.values():
            link.have({key_of(stream.name) for stream in self._hub if self._tells(stream, link.url)})

    async def stop(self) -> None:
        """Take this server out of all directories."""
        for link in self._links.values():
            self._leave(link)
        self._links = {}
        if self._leaving:
            await asyncio.wait(self._leaving)

    def _leave(self, link: DirectoryLink) -> None:
        task = self._loop.create_task(link.stop())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _tells(self, stream: Stream, url: str) -> bool:
        """Whether the directory at *url* is told of the stream."""
        options = self._options_of(stream.name.vhost)
        own = stream.publisher is not None and stream.publisher.own
        return (
            options is not None and options.url == url and stream.phase is Phase.LIVE and not (options.edge or own)
        )  # fmt: skip

    def _tell(self, url: str, name: StreamName) -> None:
        for watcher in self.watchers:
            watcher(url, name)

    # --- Watcher of the hub ---

    def stream_began(self, stream: Stream) -> None:
        # Behind this turn: the stream does not know its publisher yet.
        self._loop.call_soon(self._look, stream)

    def stream_left(self, stream: Stream) -> None:
        self._look(stream)

    def stream_ended(self, stream: Stream) -> None:
        self._look(stream)

    def _look(self, stream: Stream) -> None:
        key = key_of(stream.name)
        for link in self._links.values():
            if self._tells(stream, link.url):
                link.add(key)
            else:
                link.remove(key)
