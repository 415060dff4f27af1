"""Two origins, three edges and a Redis, each a process, and one publisher on each origin.

The film `a` is published to both origins by one encoder, the film `b` to the second alone. Where the machine lets the test,
each origin has a network namespace of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Self

from clip import end, ffmpeg
from film import Film
from link import Link
from model.ports import free_ports
from patience import patient
from redisserver import RedisServer
from server import HOST, Log, environment, stop, until

EDGES: Final = 3
SHARED, OTHER = "a", "b"
"The stream that both origins carry, and that of the second alone."

CONF = """
listen {rtmp};
max_connections 2000;
daemon off;
srs_log_tank console;
http_server {{ enabled on; listen {http}; }}
http_api {{ enabled on; listen {api}; }}
vhost __defaultVhost__ {{
    cluster {{ {mode} directory redis://{redis}/0; advertise {address}; }}
    play {{ start gop; }}
    http_remux {{ enabled on; mount [vhost]/[app]/[stream].flv [vhost]/[app]/[stream].ts; }}
    hls {{ enabled on; hls_fragment 1; hls_window 15; }}
}}
"""


class Node:
    """One server. Use as a context manager; one that was killed may not be asked any more."""

    def __init__(self, folder: Path, name: str, redis: int, *, link: Link | None = None, edge: bool) -> None:
        self.name = name
        self.link = link
        self.address = link.far if link is not None else HOST
        self.rtmp, self.http, self.api = free_ports(3)
        where = f"{link.near if link is not None else HOST}:{redis}"
        self._file = folder / f"{name}.conf"
        self._file.write_text(
            CONF.format(
                rtmp=self.rtmp,
                http=self.http,
                api=self.api,
                redis=where,
                address=self.address,
                mode="mode remote;" if edge else "",
            )
        )
        self.killed = False

    def __enter__(self) -> Self:
        words = [sys.executable, "-P", "-m", "fastflv", "-c", str(self._file)]
        if self.link is not None:
            words = [*self.link.prefix, *words]
        self.process = subprocess.Popen(
            words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment()
        )
        self.log = Log(self.process.stderr)
        self.log.wait(r"API on|ask http", timeout=40)
        return self

    def __exit__(self, *failure: object) -> None:
        if self.killed:
            self.process.kill()
            self.process.wait(20)
        else:
            stop(self.process)
        self.log.close()
        print(f"--- log of {self.name}\n{self.log.text()}")

    def ask(self, path: str) -> dict[str, Any]:
        """Ask the API."""
        url = f"http://{self.address}:{self.api}/api/v1/{path}"
        with urllib.request.urlopen(url, timeout=patient(10)) as answer:
            return json.load(answer)  # type: ignore[no-any-return]

    @property
    def place(self) -> str:
        """Scheme, address and port of RTMP."""
        return f"rtmp://{self.address}:{self.rtmp}"

    def url(self, stream: str) -> str:
        return f"{self.place}/live/{stream}"


@contextmanager
def published(film: Film, *urls: str) -> Iterator[None]:
    """Publish the film over and over by one ffmpeg; a server that is lost or stands does not hold up the other."""
    places = "|".join(f"[f=flv:onfail=ignore]{url}" for url in urls)
    words = [ffmpeg(), "-v", "error", "-nostdin", "-readrate", "1", "-stream_loop", "-1"]
    words += ["-i", str(film.clip.path), "-map", "0", "-c", "copy"]
    words += ["-f", "tee", "-use_fifo", "1", "-fifo_options", "queue_size=10000", places]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, text=True)
    try:
        yield
    finally:
        end(process)


class Topology:
    """All servers. Use as a context manager; both films are published within."""

    def __init__(self, folder: Path, film: Film, *, linked: bool) -> None:
        """*linked*: each origin has a network link of its own."""
        self._folder = folder
        self._film = film
        self._linked = linked
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack as stack:
            links = [stack.enter_context(Link()) if self._linked else None for _ in range(2)]
            near = "".join(f" {link.near}" for link in links if link is not None)
            self.redis = stack.enter_context(
                RedisServer(self._folder, f"bind {HOST}{near}", "protected-mode no")
            )
            self.origins = [self._start(f"origin {i + 1}", link, edge=False) for i, link in enumerate(links)]
            self.edges = [self._start(f"edge {i + 1}", None, edge=True) for i in range(EDGES)]
            stack.enter_context(published(self._film, *(origin.url(SHARED) for origin in self.origins)))
            until(lambda: all(len(self._known(edge, SHARED)) == 2 for edge in self.edges), "publishes", 20)
            # All edges ask the same one first: that which has the stream longest.
            with urllib.request.urlopen(f"http://{HOST}:{self.edges[0].http}/live/{SHARED}.flv", timeout=30):
                used = self.source(self.edges[0], SHARED)
            self.origins.sort(key=lambda origin: origin.place != used)
            stack.enter_context(published(self._film, self.origins[1].url(OTHER)))
            until(lambda: all(self._known(edge, OTHER) for edge in self.edges), "a publish", 20)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    def _start(self, name: str, link: Link | None, *, edge: bool) -> Node:
        node = Node(self._folder, name, self.redis.port, link=link, edge=edge)
        return self._stack.enter_context(node)

    def _known(self, edge: Node, stream: str) -> list[str]:
        """Return marks of the origins that have the stream, as *edge* knows."""
        rows = edge.ask("clusters/streams")["streams"]
        return [row["mark"] for row in rows if row["name"] == stream]

    def source(self, edge: Node, stream: str) -> str:
        """Return the origin that *edge* fetches a stream from, `scheme://host:port`."""
        [row] = [row for row in edge.ask("pulls")["pulls"] if row["url"].endswith(f"/{stream}")]
        return str(row["origin"])
