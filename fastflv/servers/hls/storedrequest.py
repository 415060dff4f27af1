"""Requests for what a muxer has stored."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.servers.hls.muxer import HlsMuxer
from fastflv.servers.hls.store import Stored, StoredBytes
from fastflv.servers.hls.viewerrequest import ViewerRequest, gone

if TYPE_CHECKING:
    from fastflv.servers.hls.server import HlsServer

TYPES = {"ts": "video/MP2T", "mp3": "audio/mpeg", "aac": "audio/aac"}
"Content type of a segment by its ending; any other ending is MP4."

KEY_TYPE = "application/octet-stream"


class StoredRequest(ViewerRequest):
    """One request for a file of *muxer*."""

    __slots__ = ("_muxer",)

    what = ""
    "What is asked for, as `segment`."

    def __init__(self, server: HlsServer, exchange: Exchange, muxer: HlsMuxer) -> None:
        super().__init__(server, exchange, muxer.name, sessions=muxer.options.sessions)
        self._muxer = muxer

    @abstractmethod
    def _fetch(self, path: str) -> Stored | None:
        """Return what is stored at *path*, relative to the root; None when it is gone."""

    @abstractmethod
    def _head(self, path: str, size: int) -> Response:
        """Return the head of the answer, whose *size* bytes are sent next."""

    def _send(self) -> None:
        path = self._exchange.request.path[1:]
        stored = self._fetch(path)
        if stored is None:
            self._exchange.respond(gone(self.what))
            return
        head = self._head(path, len(stored.body) if isinstance(stored, StoredBytes) else stored.size)
        if isinstance(stored, StoredBytes):
            head.body = stored.body
            self._exchange.respond(head)
        else:
            self._exchange.respond_file(head, stored.path, 0, stored.size, missing=gone(self.what))


class SegmentRequest(StoredRequest):
    """One request for a segment or an initialisation section."""

    __slots__ = ()

    what = "segment"

    def _fetch(self, path: str) -> Stored | None:
        return self._muxer.fetch(path)

    def _head(self, path: str, size: int) -> Response:
        self._muxer.asked = self._server.joins.loop.time()
        self._count(size)
        head = Response(content_type=TYPES.get(path.rpartition(".")[2], "video/mp4"))
        # A path is used once: a copy is of use as long as a playlist lists it.
        head.headers["Cache-Control"] = f"max-age={max(self._muxer.options.playlist_ms // 1000, 1)}"
        return head


class KeyRequest(StoredRequest):
    """One request for a key of segments."""

    __slots__ = ()

    what = "key"

    def _fetch(self, path: str) -> Stored | None:
        return self._muxer.fetch_key(path)

    def _head(self, path: str, size: int) -> Response:
        # Each viewer has to pass the gate.
        return Response(content_type=KEY_TYPE, headers={"Cache-Control": "no-store"})
