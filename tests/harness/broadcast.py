"""A publisher beside the test that goes on until it is told to stop."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress

from clip import Clip
from flvread import Tag, media
from publisher import Publisher, film, headers


def endless(clip: Clip) -> Iterator[Tag]:
    """The frames of a clip again and again, each turn behind the last."""
    frames = media(clip.flv.tags)
    length = max(tag.time for tag in frames) + 50
    return (tag._replace(time=tag.time + turn * length) for turn in range(10**6) for tag in frames)


class Broadcast(threading.Thread):
    """Publishes hand-made pictures with a number each, or a clip over and over; *speed* times as fast as time.

    A server that goes away ends it without a word: who plays says what came.
    """

    def __init__(
        self,
        port: int,
        name: str,
        *,
        speed: float = 1.0,
        size: int = 500,
        clip: Clip | None = None,
        head: Iterable[Tag] = (),
        media: Iterable[Tag] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(daemon=True)
        if clip is not None:
            head, media = [tag for tag in clip.flv.tags if tag.is_config], endless(clip)
        self.publisher = Publisher(port, tls=tls)
        self.publisher.publish(name)
        self.publisher.tags(head or headers())
        self._film = media or film(10**6, size=size)
        self._speed = speed
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        with suppress(ConnectionError):
            for _ in self.publisher.live(self._film, speed=self._speed):
                if self._over.is_set():
                    return

    def __enter__(self) -> Broadcast:
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        self.join(5)
        with suppress(ConnectionError):
            self.publisher.finish()
